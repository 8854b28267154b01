import { AppError } from '../errors.ts';
import { dataOwner } from '../host/users.ts';
import { compose, type Composed, storedName, storedText } from '../schedule/compose.ts';
import { parseTimes } from '../schedule/cron.ts';
import { install, installedJobs, scheduleFolder, uninstall } from '../schedule/install.ts';
import type { ScheduleWish } from '../schedule/plan.ts';
import { chooseScheduler, type Scheduler, schedulers } from '../schedule/system.ts';
import { assertCallable, fileText, surroundings, template } from './called-later.ts';
import { type Context, hostAction, type Outcome, type Text, type Values } from './action.ts';

const options = {
  backup: { type: 'string', describe: "when to back up, as cron writes it: '0 2 * * *'; or daily, weekly" },
  prove: { type: 'string', describe: 'when to prove the archive: weekly' },
  keep: { type: 'number', describe: 'so many backups are kept; after each backup others go' },
  'retention-days': { type: 'number', describe: 'every moment of so many days is kept restorable' },
  ping: { type: 'string', describe: 'a dead-man service to be told of each backup (URL)' },
  jitter: { type: 'number', describe: 'seconds to wait at the most before a run (default 300)' },
  with: { type: 'string', choices: schedulers, describe: 'who calls it' },
  show: { type: 'boolean', describe: 'only show what is scheduled' },
  remove: { type: 'boolean', describe: 'take the schedule away' },
} as const;

type Given = Values<typeof options>;

export const schedule = hostAction({
  name: 'schedule',
  summary: 'have backups taken, proven and removed regularly',
  details:
    'Replaces the schedule of this root. It runs as the account that owns the data, says nothing when all goes well, makes up for what was missed while the machine was down, and does not begin before the run before has ended. --instance says which instances, those that will be there then: all by default. Shows what it is about to install, and asks.',
  examples: [
    ["./manage.ts schedule all --backup '0 2 * * *' --prove weekly --keep 7", 'every night, and a proof on Sundays'],
    ['./manage.ts --action schedule --show', 'what is scheduled'],
    ['./manage.ts --action schedule --remove', 'no more'],
  ],
  options,
  target: 'some',
  lock: 'none',
  changes: ({ show }) => show !== true,
  check: checkGiven,
  async run(context, given, _, selector) {
    const { places, task, dialogue } = context;
    if (given.show === true) return shown(await listed(context));
    if (given.remove === true) return await removed(context);
    assertCallable();
    const wish = wishOf(given, selector);
    const composed = composeSchedule(context, wish, chooseScheduler(given.with as Scheduler | undefined));
    const { scheduler, jobs, planned } = composed;
    const text: Text[] = [
      ...planned.crontab.map((line) => ({ line })),
      ...planned.units.flatMap(({ name, text: unit }) => fileText(name, unit)),
      ...jobs.flatMap((job) => fileText(job.file, job.text)),
    ];
    const data = { scheduler, crontab: planned.crontab, units: planned.units, scripts: jobs.map(({ file }) => file) };
    if (context.dryRun) return { data, text };
    dialogue.show(text);
    await dialogue.confirm(`This installs it for ${dataOwner().name}, with ${scheduler}`, wish.selector);
    const note = { name: storedName, text: storedText(composed) };
    await install(places, { jobs, planned, note }, task.signal);
    const names = jobs.map(({ name, times }) => `${name} at "${times.expression}"`).join(', ');
    return { data, text: [{ line: `scheduled with ${scheduler}: ${names} of ${wish.selector}` }] };
  },
});

/** @throws USAGE */
function checkGiven(given: Given): void {
  const { backup, prove, show, remove, ping, jitter } = given;
  if (backup !== undefined) parseTimes(backup);
  if (prove !== undefined) parseTimes(prove);
  if (ping !== undefined && !/^https?:\/\/\S+$/.test(ping))
    throw new AppError('USAGE', `"${ping}" is no address of a web service`);
  if (jitter !== undefined && jitter > 3600) throw new AppError('USAGE', '--jitter is at most 3600 seconds');
  if (backup === undefined && prove === undefined && show !== true && remove !== true) {
    throw new AppError('USAGE', 'schedule needs --backup TIMES, --prove TIMES, --show or --remove', {
      hint: "for example: ./manage.ts schedule all --backup '0 2 * * *' --prove weekly --keep 7",
    });
  }
}

function wishOf(given: Given, selector: string): ScheduleWish {
  return {
    selector,
    backup: given.backup === undefined ? undefined : parseTimes(given.backup),
    prove: given.prove === undefined ? undefined : parseTimes(given.prove),
    keep: given.keep,
    retentionDays: given['retention-days'],
    jitterSeconds: Math.round(given.jitter ?? 300),
    ping: given.ping,
  };
}

/** All that a schedule of this root comes to, by this program as it is installed here. */
export function composeSchedule(context: Context, wish: ScheduleWish, scheduler: Scheduler): Composed {
  const { places } = context;
  return compose(places, surroundings(context, scheduleFolder(places)), wish, scheduler, {
    job: template('schedule-job.sh'),
    service: template('schedule.service'),
    timer: template('schedule.timer'),
  });
}

function shown(found: { crontab: string[]; units: string[] }): Outcome {
  const lines = [...found.crontab, ...found.units];
  return { data: found, text: (lines.length === 0 ? ['nothing is scheduled'] : lines).map((line) => ({ line })) };
}

async function listed({ places, task }: Context): Promise<{ crontab: string[]; units: string[] }> {
  const { crontab, units } = await installedJobs(places, task.signal);
  return { crontab, units: units.map(({ name }) => name) };
}

async function removed(context: Context): Promise<Outcome> {
  const { places, task, dryRun } = context;
  const found = await listed(context);
  if (!dryRun) await uninstall(places, task.signal);
  const count = found.crontab.length + found.units.length;
  const line = count === 0 ? 'nothing was scheduled' : `the schedule is ${dryRun ? 'to be ' : ''}removed`;
  return { data: found, text: [{ line }] };
}

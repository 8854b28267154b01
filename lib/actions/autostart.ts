import { dataOwner } from '../host/users.ts';
import type { InstanceName } from '../instances/names.ts';
import { instanceNames, readRecord } from '../instances/record.ts';
import { summarizeAll } from '../instances/summary.ts';
import {
  autostartFolder,
  autostartInstalled,
  installAutostart,
  planAutostart,
  removeAutostart,
} from '../schedule/autostart.ts';
import { chooseScheduler, type Scheduler, schedulers } from '../schedule/system.ts';
import { type Context, hostAction, type Outcome, type Text } from './action.ts';
import { assertCallable, fileText, surroundings, template } from './called-later.ts';

export const autostart = hostAction({
  name: 'autostart',
  summary: 'bring instances back when the machine comes up',
  details:
    'Has systemd, or cron where systemd does not run the machine, call start all --as-before when the machine has come up: those that ran then run again, after a crash or a power loss too, and one that was stopped stays stopped. systemd also stops them in order when the machine goes down. It is for all instances of this root, those that will be there then. Should this program be gone, the servers are started without it. Shows what it is about to install, and asks.',
  examples: [
    ['./manage.ts --action autostart', 'install it'],
    ['./manage.ts --action autostart --show', 'what is installed, and what comes back'],
    ['./manage.ts --action autostart --remove', 'no more; what runs, runs on'],
  ],
  options: {
    with: { type: 'string', choices: schedulers, describe: 'who calls it' },
    show: { type: 'boolean', describe: 'only show what is installed' },
    remove: { type: 'boolean', describe: 'take it away' },
  },
  target: 'none',
  lock: 'none',
  changes: ({ show }) => show !== true,
  async run(context, given) {
    const { places, task, dialogue } = context;
    if (given.show === true) return await shown(context);
    if (given.remove === true) return await removed(context);
    assertCallable();
    const scheduler = chooseScheduler(given.with as Scheduler | undefined);
    const planned = planAutostart(scheduler, places, surroundings(context, autostartFolder(places)), {
      script: template('autostart.sh'),
      service: template('autostart.service'),
    });
    const { crontab, units, script } = planned;
    const text: Text[] = [
      ...crontab.map((line) => ({ line })),
      ...units.flatMap((unit) => fileText(unit.name, unit.text)),
      ...fileText(script.file, script.text),
    ];
    const data = { scheduler, crontab, units, script: script.file };
    if (context.dryRun) return { data, text };
    dialogue.show(text);
    await dialogue.confirm(`This installs it for ${dataOwner().name}, with ${scheduler}`, 'autostart');
    await installAutostart(places, planned, task.signal);
    return {
      data,
      text: [{ line: `${scheduler} brings the instances of ${places.root} back with the machine` }, ...table(context)],
    };
  },
});

/** What comes back: by what was last done to each. */
function table({ places }: Pick<Context, 'places'>): Text[] {
  if (instanceNames(places).length === 0) return [];
  const rows = comingBack({ places }).map(({ name, state, comesBack }) => [
    name,
    state,
    comesBack ? 'is started' : 'stays stopped',
  ]);
  return [{ head: ['instance', 'now', 'with the machine'], rows }];
}

function comingBack({ places }: Pick<Context, 'places'>) {
  return summarizeAll({ places }).map(({ name, state }) => {
    const record = state === 'broken' ? undefined : readRecord(places, name as InstanceName);
    return { name, state, comesBack: record !== undefined && record.staysStopped === undefined };
  });
}

async function shown({ places, task }: Context): Promise<Outcome> {
  const found = await autostartInstalled(places, task.signal);
  const lines = [...found.crontab, ...found.units];
  const none = 'nothing is installed: no instance comes back with the machine (./manage.ts --action autostart)';
  const head: Text[] = (lines.length === 0 ? [none] : lines).map((line) => ({ line }));
  return {
    data: { ...found, instances: comingBack({ places }) },
    text: [...head, ...(lines.length === 0 ? [] : table({ places }))],
  };
}

async function removed({ places, task, dryRun }: Context): Promise<Outcome> {
  const found = await autostartInstalled(places, task.signal);
  if (!dryRun) await removeAutostart(places, task.signal);
  const count = found.crontab.length + found.units.length;
  const line =
    count === 0 ? 'nothing was installed' : `autostart is ${dryRun ? 'to be ' : ''}removed; what runs, runs on`;
  return { data: found, text: [{ line }] };
}

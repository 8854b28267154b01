import { resolve } from 'node:path';
import { AppError } from '../errors.ts';
import { fleetOf, fleetYaml } from '../fleet/export.ts';
import { observeInstance } from '../fleet/observe.ts';
import { readCallersFileIfThere, writeCallersFile } from '../host/callers-files.ts';
import { autostartInstalled } from '../schedule/autostart.ts';
import { observeSchedule } from '../schedule/compose.ts';
import { loadTemplate } from '../tuning/templates.ts';
import { hostAction } from './action.ts';

const head = 'What ./manage.ts apply is to see to. Written by ./manage.ts export.';

export const exportFleet = hostAction({
  name: 'export',
  summary: 'write the file that apply reads, of what is',
  details:
    'Instances with their settings, ports, poolers, databases, users and memberships, and the schedule; passwords are in no such file. Which folders migrations came from nobody can see: add migrations-dir by hand. apply finds no difference between the file and what is. --instance says which instances; the schedule is then left out.',
  examples: [
    ['./manage.ts --action export --file fleet.yaml', 'write it'],
    ["./manage.ts export 'client-*'", 'show it'],
  ],
  options: {
    file: { type: 'string', alias: 'f', describe: 'write it there, instead of showing it' },
  },
  target: 'some',
  lock: 'none',
  changes: false,
  async run(context, given, names, selector) {
    const { places, task, callerFolder } = context;
    const instances = await Promise.all(
      names.map(async (name) => {
        const observed = await observeInstance(places, name, task);
        return { observed, template: loadTemplate(observed.record.templateFile ?? observed.record.template) };
      }),
    );
    const whole = selector === 'all';
    const installed = whole ? await autostartInstalled(places, task.signal) : { crontab: [], units: [] };
    const autostart = installed.crontab.length + installed.units.length > 0;
    const schedule = whole ? (await observeSchedule(places, task.signal)).stored : undefined;
    const fleet = fleetOf(instances, { schedule, autostart }, (message) => task.warn(message));
    const yaml = fleetYaml(fleet, [head]);
    const file = given.file === undefined ? undefined : resolve(callerFolder, given.file);
    if (file !== undefined) write(file, yaml, context.dryRun);
    const count = `${names.length} instance${names.length === 1 ? '' : 's'}`;
    const line = file === undefined ? yaml.trimEnd() : `${file}: ${count}`;
    return { data: { fleet, yaml, file: file ?? null }, text: [{ line }] };
  },
});

/** @throws USAGE for a file that somebody has written by hand: its comments and folders would be lost */
function write(file: string, yaml: string, dryRun: boolean): void {
  const there = readCallersFileIfThere(file);
  if (there === yaml) return;
  if (there !== undefined && there.trim() !== '' && !there.startsWith(`# ${head}\n`)) {
    throw new AppError('USAGE', `${file} is there, and export has not written it`, {
      hint: 'choose another name, or move it away: what was written by hand is not written over',
    });
  }
  if (!dryRun) writeCallersFile(file, yaml);
}

import { join } from 'node:path';
import { timestampId } from '../host/clock.ts';
import { AppError } from '../errors.ts';
import { exists, folderBytes, listFolder } from '../host/files.ts';
import { ensureFolder, removeEmptyFolder, removeFile, removeFolder } from '../host/folders.ts';
import { ownershipOf } from '../host/inspect.ts';
import { dataOwner } from '../host/users.ts';
import { moveForGood } from '../host/for-good.ts';
import { quoted } from '../diagnosis/finding.ts';
import type { InstanceName } from '../instances/names.ts';
import { instanceNames } from '../instances/record.ts';
import { autostartInstalled, removeAutostart } from '../schedule/autostart.ts';
import { installedJobs, uninstall as removeSchedule } from '../schedule/install.ts';
import { readMade, type Made } from '../setup/made.ts';
import { removeOurs } from '../setup/system-files.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Context, hostAction, type Outcome } from './action.ts';
import { destroy } from './destroy.ts';

export const uninstall = hostAction({
  name: 'uninstall',
  summary: 'take away what install has made, and all units',
  details:
    'Takes away the units and crontab lines of schedule and autostart, completion, the files that install has written, and the folders of this root but for backups, quarantine and the audit. Refuses while there are instances, unless --remove-data says to destroy them all, as destroy does: their data waits in quarantine. Backups stay, unless --remove-backups moves them there, too. Packages and the account may serve others by now: it says what to type.',
  examples: [
    ['./manage.ts --action uninstall', 'when no instance is left'],
    ['./manage.ts uninstall --remove-data', 'destroy all instances before; asks'],
    ['./manage.ts uninstall --remove-data --dry-run', 'what would go, and what would stay'],
  ],
  options: {
    'remove-data': { type: 'boolean', describe: 'destroy all instances of this root; their data goes to quarantine' },
    'remove-backups': { type: 'boolean', describe: 'move the backups to quarantine, too' },
  },
  target: 'none',
  lock: 'none',
  changes: true,
  async run(context, given) {
    const { places, task, dialogue } = context;
    const names = instanceNames(places);
    if (names.length > 0 && given['remove-data'] !== true) throw instancesLeft(names);
    const plan = await planRemoval(context, names, given['remove-backups'] === true);
    if (isNothing(context, plan)) {
      return {
        data: { ...plan },
        text: [{ line: `there is nothing of pg-manage to take away from ${context.places.root}` }],
      };
    }
    if (context.dryRun) return { data: { ...plan }, text: [{ fields: planFields(plan) }] };
    dialogue.show([{ fields: planFields(plan) }]);
    await dialogue.confirm(`This takes pg-manage away from ${places.root}`, 'uninstall');

    // Operations of their own: killed between two, nothing of the first is undone.
    for (const name of names) await context.act(destroy, name, {});
    const left = instanceNames(places);
    if (left.length > 0) throw instancesLeft(left);
    await removeAutostart(places, task.signal);
    await removeSchedule(places, task.signal);
    for (const name of plan.backups) moveBackups(context, name);
    for (const path of plan.files) removeOurs(path);
    await removeFolders(context);
    return outcome(context, plan);
  },
});

function instancesLeft(names: readonly string[]): AppError {
  return new AppError('INSTANCES_LEFT', `there are instances: ${names.join(', ')}`, {
    hint: 'destroy them one by one, or all at once with: ./manage.ts uninstall --remove-data (their data waits in quarantine)',
    data: { instances: [...names] },
  });
}

interface Removal {
  instances: InstanceName[];
  /** Whose backups go to quarantine. */
  backups: string[];
  /** Lines of the crontab, and units. */
  scheduled: string[];
  files: string[];
  made: Made;
}

async function planRemoval({ places, task }: Context, instances: InstanceName[], backups: boolean): Promise<Removal> {
  const jobs = await installedJobs(places, task.signal);
  const found = [{ ...jobs, units: jobs.units.map(({ name }) => name) }, await autostartInstalled(places, task.signal)];
  const made = readMade(places);
  return {
    instances,
    backups: backups ? listFolder(places.repository).filter((name) => /^[A-Za-z]/.test(name)) : [],
    scheduled: found.flatMap(({ crontab, units }) => [...crontab.filter((line) => !line.startsWith('#')), ...units]),
    files: made.files,
    made,
  };
}

/** Nothing but what stays. */
function isNothing({ places }: Context, { instances, backups, scheduled: jobs, files }: Removal): boolean {
  return [instances, backups, jobs, files].every((all) => all.length === 0) && !exists(places.instances);
}

function planFields({ instances, backups, scheduled: jobs, files }: Removal): [string, string][] {
  const fields: [string, readonly string[], string][] = [
    ['data to quarantine', instances, 'no instance is there'],
    ['backups to quarantine', backups, 'none: they stay'],
    ['no longer called', jobs, 'nothing was'],
    ['removed', files, 'no file of the system'],
  ];
  return fields.map(([name, all, none]) => [name, all.length === 0 ? none : all.join('\n')]);
}

/** By one rename, so on the same disk; backups elsewhere are a person's to remove. */
function moveBackups({ places, journal }: Context, name: string): void {
  const from = join(places.repository, name);
  const to = join(places.quarantine, `${name}-backups-${timestampId()}-${journal.id.slice(0, 4)}`);
  ensureFolder(places.quarantine);
  journal.intend({ kind: 'move', from, to });
  moveForGood(from, to);
  journal.settle();
}

/** What is empty, and what is of no use without instances. Quarantine, backups and the audit stay. */
async function removeFolders({ places }: Context): Promise<void> {
  for (const folder of [places.scratch, places.programs, places.locks]) await removeFolder(folder);
  for (const file of [places.problems, join(places.root, '.pg-manage', 'installed.json')]) removeFile(file);
  for (const folder of [places.instances, places.repository]) {
    if (exists(folder) && listFolder(folder).length === 0) removeEmptyFolder(folder);
  }
  const leases = join(places.host, 'leases');
  // Other roots and users of this host may hold ports still.
  const free = listFolder(leases).every((name) => !name.endsWith('.json'));
  if (free && ownershipOf(places.host)?.uid === dataOwner().uid) await removeFolder(places.host);
}

function outcome({ places }: Context, plan: Removal): Outcome {
  const { packages, account } = plan.made;
  const kept = [places.quarantine, places.repository].filter((folder) => listFolder(folder).length > 0);
  const left = kept.map((folder) => ({ folder, sizeBytes: folderBytes(folder) }));
  const byHand = [
    ...left.map(({ folder }) => `rm -r ${quoted(folder)}`),
    ...(packages.length === 0 ? [] : [`apt-get remove ${packages.join(' ')}`]),
    ...(account === undefined ? [] : [`userdel ${account}`]),
  ];
  return {
    data: { ...plan, left, byHand },
    text: [
      { line: `pg-manage is taken away from ${places.root}` },
      ...left.map(({ folder, sizeBytes }) => ({ line: `${folder} is kept (${humanBytes(sizeBytes)})` })),
      { line: `who did what is kept in ${places.audit}` },
      ...byHand.map((command, index) => ({
        line: `${index === 0 ? 'to remove, when nobody needs it: ' : ' '.repeat(33)}${command}`,
      })),
    ],
  };
}

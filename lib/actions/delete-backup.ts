import { backupFields, type Backup, listBackups, requireBackup } from '../backups/catalogue.ts';
import { type Dump, dumpFields, findDump, listDumps } from '../backups/dumps/catalogue.ts';
import { assertThisMachine } from '../backups/machine-mark.ts';
import { doomedFolders, removeBackup, removeDump } from '../backups/removal.ts';
import { requireRepositoryName } from '../backups/repository.ts';
import { newestProven } from '../backups/retention.ts';
import { observeTimelines } from '../backups/timelines.ts';
import { AppError } from '../errors.ts';
import type { InstanceName } from '../instances/names.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Context, instanceAction, type Outcome } from './action.ts';

export const deleteBackup = instanceAction({
  name: 'delete-backup',
  summary: 'remove one backup',
  details:
    'Refuses a pinned backup, and the newest verified one, without --force. WAL that nothing needs any more goes with the next cleanup-backups.',
  examples: [['./manage.ts delete-backup client-a --backup-name 20261121T101500Z', 'this one']],
  options: {
    'backup-name': { type: 'string', alias: 'b', describe: 'which one' },
    force: { type: 'boolean', describe: 'also when it is pinned, or the newest verified one' },
  },
  target: 'either',
  lock: 'exclusive',
  changes: true,
  check({ 'backup-name': id }) {
    if (id !== undefined && id !== 'latest') return;
    throw new AppError('USAGE', 'delete-backup needs --backup-name NAME', {
      hint: 'they are shown by: ./manage.ts --action list-backups',
    });
  },
  confirm: (name, given) => `This removes backup ${given['backup-name']} of ${name} for good`,
  async run(context, instance, given) {
    const { places } = context;
    const name = requireRepositoryName(places, instance);
    assertThisMachine(places, name);
    const id = given['backup-name'] ?? '';
    const backups = listBackups(places, name);
    const dump = findDump(places, name, id);
    if (dump !== undefined) return await deleteDump(context, name, dump, given.force === true);
    // Killed when it was no more in the catalogue: the clearing up has removed the rest.
    const doomed = doomedFolders(places, name, id);
    const wasRemoved = context.recovered.some(({ folders }) => folders.some((folder) => doomed.includes(folder)));
    if (wasRemoved && !backups.some((one) => one.id === id)) {
      return { data: { name, id }, text: [{ line: `${name}: backup ${id} is removed` }] };
    }
    const backup = requireBackup(places, name, id);
    if (given.force !== true) assertDispensable(backup, lastResort(places, backup, backups));
    const size = humanBytes(backup.sizeBytes);
    if (context.dryRun) return { data: backupFields(backup), text: [{ line: `would remove backup ${id} (${size})` }] };
    await removeBackup(context, name, id, true);
    return { data: backupFields(backup), text: [{ line: `${name}: backup ${id} is removed (${size})` }] };
  },
});

async function deleteDump(context: Context, name: InstanceName, dump: Dump, force: boolean): Promise<Outcome> {
  const { id, type } = dump;
  const same = listDumps(context.places, name).filter((one) => one.type === type);
  const own = same.filter(({ instance }) => instance.id === dump.instance.id);
  if (!force) assertDispensable(dump, own.findLast(({ state }) => state === 'verified')?.id);
  const what = `${type} ${id} (${humanBytes(dump.sizeBytes)})`;
  if (context.dryRun) return { data: dumpFields(dump), text: [{ line: `would remove ${what}` }] };
  await removeDump(context, name, id, true);
  return { data: dumpFields(dump), text: [{ line: `${name}: ${what} is removed` }] };
}

/** The newest verified backup of the same instance; while nothing is proven, the newest whole one is all there is. */
function lastResort(places: Context['places'], backup: Backup, backups: readonly Backup[]): string | undefined {
  const { instance, segmentBytes } = backup;
  const own = backups.filter((one) => one.instance.id === instance.id);
  const timelines = observeTimelines(places, instance, segmentBytes);
  const proven = newestProven(own, timelines) ?? own.findLast(({ state }) => state === 'verified');
  return (proven ?? own.findLast(({ state }) => state === 'complete'))?.id;
}

/** @throws BACKUP_NEEDED */
function assertDispensable(backup: Pick<Backup, 'id' | 'pinned' | 'instance'>, neededId: string | undefined): void {
  const { id, instance } = backup;
  const why = backup.pinned ? 'is pinned' : neededId === id ? 'is what a restore would begin from' : undefined;
  if (why === undefined) return;
  throw new AppError('BACKUP_NEEDED', `backup ${id} of ${instance.name} ${why}`, {
    hint: backup.pinned
      ? 'add --force to remove it all the same'
      : `take another first: ./manage.ts --action backup --instance ${instance.name}`,
  });
}

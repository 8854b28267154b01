import { join } from 'node:path';
import { fileSize, folderBytes, listFolder } from '../host/files.ts';
import { removeFolder } from '../host/folders.ts';
import { moveForGood } from '../host/for-good.ts';
import { type InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { existingName, instanceNames } from '../instances/record.ts';
import type { Operation } from '../operation.ts';
import { defaultSegmentBytes } from '../postgres/wal.ts';
import { listBackups } from './catalogue.ts';
import { readPresent } from './choose-restore.ts';
import { listDumps } from './dumps/catalogue.ts';
import { readEnded } from './ended.ts';
import { recoveringFrom } from './recovering.ts';
import { removeWal } from './removal.ts';
import { archiveFolderOf, archiveOwner, archivesAside } from './repository.ts';
import { type Retained, unneededWal, type Verdict } from './retention.ts';
import { tailFiles } from './tail.ts';

/** The archive of an instance that has the name no more. */
export interface EarlierArchive {
  /** Its folder in the repository of the name. */
  folder: string;
  /** Whose it is, by its lasting id. */
  instanceId: string;
  /** The names of its files, those of its tail with their folders. */
  files: readonly string[];
  /** Why it must be left alone, where that is known beforehand. */
  held: string | undefined;
}

export interface EarlierFacts {
  archives: readonly EarlierArchive[];
  /** All of the name. */
  backups: readonly Retained[];
  /** Why nothing may be removed at all, where that is so. */
  frozen: string | undefined;
}

/** What becomes of such an archive. */
export interface EarlierVerdict extends Verdict {
  /** The files that go from one that is kept. */
  wal: string[];
}

/**
 * Which archives of earlier instances are kept, and why. Pure. One goes when no backup is left that needs it; of one that is
 * kept for its backups, what is from before the oldest of them goes, unless one is pinned.
 */
export function planEarlier({ archives, backups, frozen }: EarlierFacts): EarlierVerdict[] {
  return archives.map(({ folder, instanceId, files, held }) => {
    const kept = (reason: string, wal: string[] = []): EarlierVerdict => ({
      id: folder,
      kept: true,
      reasons: [reason],
      wal,
    });
    const why = frozen ?? held;
    if (why !== undefined) return kept(why);
    const own = backups.filter(({ instance }) => instance.id === instanceId);
    const pinned = own.filter((backup) => backup.pinned);
    if (pinned.length > 0) return kept(`needed by ${namesOf(pinned)}, pinned`);
    const [sample] = own;
    if (sample !== undefined) return kept(`needed by ${namesOf(own)}`, unneededWal(files, own, sample));
    return { id: folder, kept: false, reasons: ['its instance is gone, and no backup needs it'], wal: [] };
  });
}

function namesOf(backups: readonly Retained[]): string {
  const names = backups.map(({ id }) => id);
  return names.length > 3 ? `${names.slice(0, 2).join(', ')} and ${names.length - 2} more backups` : names.join(', ');
}

/** The archives of a name's earlier instances: those put aside, and the present one where its instance was taken away on purpose. */
export function earlierArchives({ places, leases }: Pick<Operation, 'places' | 'leases'>, name: InstanceName) {
  const owner = archiveOwner(archiveFolderOf(places, name));
  const ended =
    owner !== undefined && existingName(places, name) === undefined && readEnded(places, name)?.instanceId === owner;
  const living = new Set([
    ...instanceNames(places).flatMap((one) => readPresent(places, one)?.id ?? []),
    ...leases.all().map(({ instanceId }) => instanceId),
  ]);
  const backups = listBackups(places, name);
  // Without the present one, the repository does not know the name.
  const needed =
    backups.length > 0 || listDumps(places, name).length > 0 ? 'other backups of the name are there' : undefined;
  const all = [...archivesAside(places, name), ...(ended ? [{ folder: 'wal', instanceId: owner }] : [])];
  return all.map(({ folder, instanceId }): EarlierArchive => {
    const path = join(places.repository, name, folder);
    const reader = recoveringFrom(places, path);
    const sample = backups.find(({ instance }) => instance.id === instanceId);
    const files = [...listFolder(path), ...tailFiles(path, sample?.segmentBytes ?? defaultSegmentBytes)];
    const read = reader === undefined ? undefined : `${reader} still recovers from it`;
    const held = read ?? (living.has(instanceId) ? 'its instance lives' : undefined);
    return { folder, instanceId, files, held: held ?? (folder === 'wal' && sample === undefined ? needed : undefined) };
  });
}

/** How many bytes go, or would. */
export function earlierBytes({ repository }: Places, name: InstanceName, { id, kept, wal }: EarlierVerdict): number {
  const folder = join(repository, name, id);
  if (!kept) return folderBytes(folder);
  return wal.reduce((sum, file) => sum + (fileSize(join(folder, file)) ?? 0), 0);
}

/** Removes what goes: a whole archive by one rename first, so that nobody takes the rest of it for one with gaps. */
export async function removeEarlier(
  { places, journal, task }: Operation,
  name: InstanceName,
  { id, kept, wal }: EarlierVerdict,
): Promise<void> {
  const folder = join(places.repository, name, id);
  if (kept) return void removeWal(folder, wal, task.signal);
  const doomed = join(places.repository, name, `.${id}.removing`);
  await task.step(`remove ${id}`, async () => {
    journal.intend({ kind: 'folder', path: doomed });
    moveForGood(folder, doomed);
    await removeFolder(doomed);
  });
}

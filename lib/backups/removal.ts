import { join } from 'node:path';
import { exists, fileSize, listFolder } from '../host/files.ts';
import { removeFile, removeFolder } from '../host/folders.ts';
import { moveForGood, syncFolder } from '../host/for-good.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import type { Operation } from '../operation.ts';
import { stagingFolder, unfinishedBackups } from './catalogue.ts';
import { baseFolderOf, dumpsFolderOf } from './repository.ts';

const removingPattern = /^\.(.+)\.removing$/;

/**
 * Removes a backup: with one rename the catalogue knows it no more, and only then its data goes.
 * @param only whether that is all the operation is for
 */
export async function removeBackup(
  { places, journal }: Operation,
  name: InstanceName,
  id: string,
  only: boolean,
): Promise<void> {
  await removeFrom(journal, baseFolderOf(places, name), id, only);
}

/** As `removeBackup`, of a logical dump. */
export async function removeDump(
  { places, journal }: Operation,
  name: InstanceName,
  id: string,
  only: boolean,
): Promise<void> {
  await removeFrom(journal, dumpsFolderOf(places, name), id, only);
}

/** Where a backup, or a dump, waits that is being removed. */
export function doomedFolders(places: Places, name: InstanceName, id: string): string[] {
  return [baseFolderOf(places, name), dumpsFolderOf(places, name)].map((folder) => doomedFolder(folder, id));
}

function doomedFolder(folder: string, id: string): string {
  return join(folder, `.${id}.removing`);
}

async function removeFrom(journal: Operation['journal'], folder: string, id: string, only: boolean): Promise<void> {
  const doomed = doomedFolder(folder, id);
  journal.intend({ kind: 'folder', path: doomed });
  moveForGood(join(folder, id), doomed);
  if (only) journal.settle({ kind: 'folder', path: doomed });
  await removeFolder(doomed);
}

/** Removes files of the archive, oldest first, and returns how many bytes they had. */
export function removeWal(folder: string, names: readonly string[], signal: AbortSignal): number {
  let bytes = 0;
  for (const name of names) {
    signal.throwIfAborted();
    bytes += fileSize(join(folder, name)) ?? 0;
    removeFile(join(folder, name));
  }
  if (names.length > 0) syncFolder(folder);
  return bytes;
}

/** Folders of backups that nobody writes or removes any more. To be asked with the instance's lock held alone. */
export function leftoverFolders({ places }: Pick<Operation, 'places'>, name: InstanceName): string[] {
  const base = baseFolderOf(places, name);
  const removing = listFolder(base).filter((entry) => removingPattern.test(entry));
  const writing = unfinishedBackups(places, name).map((id) => stagingFolder(places, name, id));
  return [...removing.map((entry) => join(base, entry)), ...writing].filter(exists);
}

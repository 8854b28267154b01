import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isMissing } from './files.ts';
import { asCaller, asOwnerOrCaller, calledByRoot, dataOwner } from './users.ts';

/**
 * Makes a folder, and those above it that are missing, for the account that owns the data. Folders that are already there
 * keep their owner and mode.
 */
export function ensureFolder(path: string, mode = 0o700): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (!existsSync(parent)) ensureFolder(parent, 0o755);
  const owner = dataOwner();
  asOwnerOrCaller(() => {
    try {
      mkdirSync(path, { mode });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
      throw error;
    }
    chmodSync(path, mode);
    chownSync(path, owner.uid, owner.gid);
  });
}

/** Makes a folder of a name that nobody has, where the system keeps what is of the moment (TMPDIR), and gives its path. */
export function makeTemporaryFolder(prefix: string): string {
  return mkdtempSync(join(tmpdir(), prefix));
}

/** Makes a folder that must not be there yet. @throws the system's EEXIST when it is */
export function makeFolder(path: string, mode = 0o700): void {
  mkdirSync(path, { mode });
  chmodSync(path, mode);
}

/** Makes `name` a symbolic link to a file or folder. */
export function link(target: string, name: string): void {
  symlinkSync(target, name);
}

/** Sets the time of a file's or folder's last change to now. */
export function touch(path: string): void {
  const now = new Date();
  utimesSync(path, now, now);
}

export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Removes a folder and all in it. For what an operation of ours made and nobody was told of; never for a client's data. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 });
}

/** Removes a folder in which nothing is any more. */
export function removeEmptyFolder(path: string): void {
  asOwnerOrCaller(() => rmdirSync(path));
}

/**
 * Gives a folder of root's (of a checkout that root has made) to the account that owns the data; what is in it stays as it
 * is. Only where nobody but root could put another in its place.
 * @returns whether it was given
 */
export function giveFolder(path: string): boolean {
  if (!calledByRoot()) return false;
  const [folder, parent] = [path, dirname(path)].map((one) => lstatSync(one));
  const isRoots = parent?.isDirectory() && parent.uid === 0 && (parent.mode & 0o022) === 0;
  if (!isRoots || !folder?.isDirectory() || folder.uid !== 0) return false;
  const { uid, gid } = dataOwner();
  asCaller(() => chownSync(path, uid, gid));
  return true;
}

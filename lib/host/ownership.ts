import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { type Account, asCaller } from './users.ts';

export interface Ownership {
  uid: number;
  /** The owner's name; `uid 999` where this system has none for it. */
  owner: string;
  /** The permission bits alone. */
  mode: number;
}

/** Who owns a path, seen with the caller's rights. Undefined where there is nothing or we may not see it. */
export function ownershipOf(path: string): Ownership | undefined {
  return asCaller(() => {
    try {
      const info = statSync(path);
      return { uid: info.uid, owner: ownerName(info.uid), mode: info.mode & 0o777 };
    } catch {
      return undefined;
    }
  });
}

function ownerName(uid: number): string {
  const rows = readFileSync('/etc/passwd', 'utf8').split('\n');
  return rows.map((row) => row.split(':')).find((fields) => fields[2] === String(uid))?.[0] ?? `uid ${uid}`;
}

/** Sets the mode of a folder. */
export function setFolderMode(folder: string, mode: number): void {
  chmodSync(folder, mode);
}

/**
 * Gives a folder and all in it to an account, as the caller (root), in one synchronous step: the folder first, closed to
 * all others, so that whoever had it cannot change what is in it meanwhile. Symbolic links are given, never followed: every
 * folder is entered through the one that is held open. What is the account's already stays as it is, and so do all modes
 * below the folder.
 * @throws DATA_PERMISSIONS at a file that has a second name (a hard link), which may be anybody's
 */
export function giveFolder(folder: string, { uid, gid }: Pick<Account, 'uid' | 'gid'>): void {
  asCaller(() => {
    const handle = openFolder(folder);
    try {
      assertThere(handle, folder);
      fchownSync(handle, uid, gid);
      fchmodSync(handle, 0o700);
      giveContents(handle, folder, { uid, gid });
    } finally {
      closeSync(handle);
    }
  });
}

function giveContents(handle: number, folder: string, owner: Pick<Account, 'uid' | 'gid'>): void {
  const device = fstatSync(handle).dev;
  const here = heldFolder(handle, folder);
  for (const name of readdirSync(here)) {
    const path = join(here, name);
    const info = lstatSync(path);
    if (!info.isDirectory()) {
      if (info.uid === owner.uid) continue;
      if (info.isFile() && info.nlink > 1) throw hardLinked(join(folder, name));
      lchownSync(path, owner.uid, owner.gid);
      continue;
    }
    if (info.dev !== device) continue; // what is mounted there is not the data's
    const inner = openFolder(path);
    try {
      if (info.uid !== owner.uid) fchownSync(inner, owner.uid, owner.gid);
      giveContents(inner, join(folder, name), owner);
    } finally {
      closeSync(inner);
    }
  }
}

/** A link anywhere in the path would have led elsewhere. */
function assertThere(handle: number, folder: string): void {
  if (process.platform !== 'linux' || readlinkSync(`/proc/self/fd/${handle}`) === folder) return;
  throw new AppError('DATA_PERMISSIONS', `a symbolic link stands in the path ${folder}: its owner is not changed`, {
    hint: `look where it leads with: readlink -f ${folder}`,
  });
}

/** The first path below a folder, itself included, that is another user's. */
export function foreignPath(folder: string, uid: number): string | undefined {
  const info = lstatSync(folder, { throwIfNoEntry: false });
  if (info === undefined) return undefined;
  if (info.uid !== uid) return folder;
  if (!info.isDirectory()) return undefined;
  for (const name of readdirSync(folder)) {
    const foreign = foreignPath(join(folder, name), uid);
    if (foreign !== undefined) return foreign;
  }
  return undefined;
}

function openFolder(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP' && (error as NodeJS.ErrnoException).code !== 'ENOTDIR')
      throw error;
    throw new AppError(
      'DATA_PERMISSIONS',
      `${path} is no folder (a symbolic link is not followed): its owner is not changed`,
      {
        hint: `look at it with: ls -ld ${path}`,
        cause: error,
      },
    );
  }
}

/** A path that leads to the very folder held open, wherever it is moved meanwhile (Linux; elsewhere its name must do). */
function heldFolder(handle: number, folder: string): string {
  return process.platform === 'linux' ? `/proc/self/fd/${handle}` : folder;
}

function hardLinked(path: string): AppError {
  return new AppError(
    'DATA_PERMISSIONS',
    `${path} has a second name somewhere (a hard link): its owner is not changed`,
    {
      hint: `see whose it is (find / -samefile ${path}), copy it in place of the link, then repeat the command`,
    },
  );
}

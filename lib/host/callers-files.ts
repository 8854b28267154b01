import { randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isMissing } from './files.ts';
import { asCaller, asOwnerOrCaller } from './users.ts';

/** Reads a file that the caller named (a migration, a template), with the caller's own rights. */
export function readCallersFile(path: string): string {
  return asOwnerOrCaller(() => readFileSync(path, 'utf8'));
}

/** The same, or undefined when there is no such file. */
export function readCallersFileIfThere(path: string): string | undefined {
  try {
    return readCallersFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Writes a file that the caller named, with the caller's own rights: whole or not at all, through a link to where it leads.
 * A file that is made here is for its owner only; one that was there keeps its owner and mode.
 */
export function writeCallersFile(path: string, text: string): void {
  asCaller(() => {
    const target = existsSync(path) ? realpathSync(path) : path;
    const before = existsSync(target) ? statSync(target) : undefined;
    const beside = `${target}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      writeFileSync(beside, text, { mode: 0o600, flag: 'wx', flush: true });
      if (before !== undefined) chmodSync(beside, before.mode & 0o777);
      if (before !== undefined && process.getuid?.() === 0) chownSync(beside, before.uid, before.gid);
      renameSync(beside, target);
    } finally {
      rmSync(beside, { force: true });
    }
  });
}

/** As `readCallersFile`, its bytes: also for files of this checkout, which may lie where the data's owner cannot read. */
export function readCallersBytes(path: string): Buffer {
  return asOwnerOrCaller(() => readFileSync(path));
}

/** The names in a folder that the caller named, sorted; undefined when there is no such folder. */
export function listCallersFolder(path: string): string[] | undefined {
  return asOwnerOrCaller(() => {
    try {
      return readdirSync(path).sort();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  });
}

/** True when the account that owns the data can go into this folder (so, through every folder above it). */
export function mayEnter(folder: string): boolean {
  try {
    // Not access(2): that asks for the real user, who may be root while the files are the owner's.
    statSync(`${folder}/.`);
    return true;
  } catch {
    return false;
  }
}

/** True when the caller may make files in this folder; false on a read-only file system too. */
export function callerMayWrite(folder: string): boolean {
  return asCaller(() => {
    try {
      accessSync(folder, constants.W_OK | constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Writes a file of the system's (a unit of systemd) with the caller's own rights: whole, or not at all; all may read it. */
export function writeSystemFile(path: string, text: string): void {
  asCaller(() => {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      writeFileSync(temporary, text, { mode: 0o644, flag: 'wx', flush: true });
      chmodSync(temporary, 0o644); // the caller's umask may forbid what others need
      if (process.getuid?.() === 0) chownSync(temporary, 0, 0); // the group is the data's owner's by now
      if (process.getuid?.() === 0) chownSync(temporary, 0, 0);
      renameSync(temporary, path);
    } finally {
      rmSync(temporary, { force: true });
    }
  });
}

/** Removes a file of the system's with the caller's own rights. */
export function removeSystemFile(path: string): void {
  asCaller(() => rmSync(path, { force: true }));
}

/** Makes a folder of the system's, and those above it, with the caller's own rights; all may look into it. */
export function ensureSystemFolder(path: string): void {
  if (!existsSync(path)) asCaller(() => mkdirSync(path, { recursive: true, mode: 0o755 }));
}

/** Makes `path` a link to a file of the system's, with the caller's own rights. */
export function linkSystemFile(target: string, path: string): void {
  asCaller(() => symlinkSync(target, path));
}

export function isLinkTo(path: string, target: string): boolean {
  try {
    return readlinkSync(path) === target;
  } catch {
    return false;
  }
}

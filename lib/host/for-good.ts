import { randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a file for good: a temporary name, synced, renamed over the old one, the folder synced. A reader sees the old
 * content or the new, whatever dies in between.
 */
export function writeFileForGood(path: string, content: string | Uint8Array, mode = 0o600): void {
  const temporary = temporaryName(path);
  try {
    writeSynced(temporary, content, mode);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

/** As `writeFileForGood`, but never over an existing file: false when there is one already. Atomic between processes. */
export function createFileForGood(path: string, content: string, mode = 0o600): boolean {
  const temporary = temporaryName(path);
  try {
    writeSynced(temporary, content, mode);
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  syncFolder(dirname(path));
  return true;
}

export function writeJson(path: string, value: unknown, mode = 0o600): void {
  writeFileForGood(path, `${JSON.stringify(value, null, 2)}\n`, mode);
}

/** Adds one line to the end of a file, in one write, synced; so lines of several processes do not mix. */
export function appendLine(path: string, line: string): void {
  const file = openSync(path, 'a', 0o600);
  try {
    writeSync(file, `${line}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Moves a file or folder within one file system: one atomic rename, both folders synced. */
export function moveForGood(from: string, to: string): void {
  renameSync(from, to);
  syncFolder(dirname(to));
  if (dirname(from) !== dirname(to)) syncFolder(dirname(from));
}

/** Copies one file for good: the copy is synced, its folder is the caller's to sync. */
export function copyFile(from: string, to: string): void {
  copyFileSync(from, to);
  syncFolder(to); // fsync is the same for files
}

/** Writes bytes over those from `offset` on in a file that is there; nothing is synced. */
export function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  try {
    writeSync(file, bytes, 0, bytes.length, offset);
  } finally {
    closeSync(file);
  }
}

/** Makes what is in a folder (names of new, renamed or removed files) survive a power loss. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Writes a new file, whole and synced; its folder is the caller's to sync. */
export function writeSynced(path: string, content: string | Uint8Array, mode: number): void {
  const file = openSync(path, 'wx', mode);
  try {
    // fs.writeSync may write less than asked.
    const bytes = Buffer.from(content);
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
    fchmodSync(file, mode); // open leaves out what the caller's umask forbids
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
}

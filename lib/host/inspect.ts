import { chmodSync, statfsSync, statSync } from 'node:fs';
import { isMissing, readText } from './files.ts';
import { run } from './programs.ts';

/** Who owns a file and who may use it. */
export interface Ownership {
  uid: number;
  gid: number;
  /** The permission bits, `0o700`. */
  mode: number;
  /** When it was last written, in milliseconds since 1970. */
  modifiedMs: number;
}

/** Undefined when there is no such file or folder. */
export function ownershipOf(path: string): Ownership | undefined {
  const info = statSync(path, { throwIfNoEntry: false });
  return info && { uid: info.uid, gid: info.gid, mode: info.mode & 0o7777, modifiedMs: info.mtimeMs };
}

export function setMode(path: string, mode: number): void {
  chmodSync(path, mode);
}

/** The room on a file system. A file system that makes inodes as it needs them has none to count: both are 0. */
export interface Room {
  /** Tells file systems apart. */
  device: number;
  sizeBytes: number;
  /** For an ordinary user. */
  freeBytes: number;
  inodes: number;
  freeInodes: number;
}

/** Undefined when there is nothing at the path. */
export function roomAt(path: string): Room | undefined {
  try {
    const { bsize, blocks, bavail, files, ffree } = statfsSync(path);
    const device = statSync(path).dev;
    return { device, sizeBytes: blocks * bsize, freeBytes: bavail * bsize, inodes: files, freeInodes: ffree };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The text of a file of the system's, or undefined when there is none or it may not be read. */
export function readSystemFile(path: string): string | undefined {
  try {
    return readText(path);
  } catch {
    return undefined;
  }
}

/** True for a process that was stopped (SIGSTOP, Ctrl-Z, a debugger): field 3 of /proc/PID/stat. */
export function isStopped(pid: number): boolean {
  const stat = readSystemFile(`/proc/${pid}/stat`) ?? '';
  return /^ [Tt] /.test(stat.slice(stat.lastIndexOf(')') + 1));
}

const listUnwritable = 'for folder; do [ -w "$folder" ] && [ -x "$folder" ] || printf "%s\\n" "$folder"; done';

/**
 * Those of the folders in which the data's owner can make no files. Asked of a program that runs as that account, as
 * access(2) judges by the real user: so read-only file systems and access lists count, and nothing is written.
 */
export async function unwritableFolders(folders: readonly string[], signal: AbortSignal): Promise<string[]> {
  if (folders.length === 0) return [];
  const { stdout } = await run('/bin/sh', ['-c', listUnwritable, 'sh', ...folders], { signal, timeoutMs: 2000 });
  return folders.filter((folder) => stdout.split('\n').includes(folder));
}

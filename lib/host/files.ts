import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  createReadStream,
  existsSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { z } from 'zod';
import { AppError } from '../errors.ts';
import { asCaller, asOwnerOrCaller, dataOwner } from './users.ts';

/** True for the error that says a file is not there. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

export const exists = existsSync;

export function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The path with every symbolic link followed, or undefined when there is nothing. */
export function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Size in bytes, or undefined when there is no such file. */
export function fileSize(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

/** When the file was last written, in milliseconds since 1970, or undefined when there is none. */
export function modifiedMs(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** The names in a folder, sorted; empty when the folder is not there. */
export function listFolder(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The whole text, or undefined when there is no such file. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** `length` bytes from `offset` (fewer where the file ends), or undefined when there is no such file. */
export function readBytes(path: string, offset: number, length: number): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, readSync(file, buffer, 0, length, offset));
  } finally {
    closeSync(file);
  }
}

/** The text from byte `offset` to the end. */
export function readTextFrom(path: string, offset: number): string {
  const size = fileSize(path) ?? 0;
  return (readBytes(path, offset, Math.max(0, size - offset)) ?? Buffer.alloc(0)).toString('utf8');
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

function writeSynced(path: string, content: string | Uint8Array, mode: number): void {
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

/** Reads a JSON file and checks its shape; undefined when there is none. @throws FILE_DAMAGED when it is not what it should be */
export function readJson<T>(path: string, schema: z.ZodType<T>): T | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new AppError('FILE_DAMAGED', `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

export function writeJson(path: string, value: unknown, mode = 0o600): void {
  writeFileForGood(path, `${JSON.stringify(value, null, 2)}\n`, mode);
}

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

/** Makes a folder that must not be there yet. @throws the system's EEXIST when it is */
export function makeFolder(path: string, mode = 0o700): void {
  mkdirSync(path, { mode });
  chmodSync(path, mode);
}

/** Moves a file or folder within one file system: one atomic rename, both folders synced. */
export function moveForGood(from: string, to: string): void {
  renameSync(from, to);
  syncFolder(dirname(to));
  if (dirname(from) !== dirname(to)) syncFolder(dirname(from));
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

/** Makes `link` a symbolic link to a folder. */
export function linkFolder(folder: string, link: string): void {
  symlinkSync(folder, link);
}

/** Copies one file for good: the copy is synced, its folder is the caller's to sync. */
export function copyFile(from: string, to: string): void {
  copyFileSync(from, to);
  syncFolder(to); // fsync is the same for files
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

/** Free bytes for an ordinary user on the file system that holds `path`. */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Bytes of all files below a folder; files that vanish meanwhile count as nothing. */
export function folderBytes(path: string): number {
  let sum = 0;
  for (const name of listFolder(path)) {
    const entry = join(path, name);
    const info = lstatSync(entry, { throwIfNoEntry: false });
    if (info === undefined) continue;
    sum += info.isDirectory() ? folderBytes(entry) : info.size;
  }
  return sum;
}

/** SHA-256 of a file's bytes, as lower-case hex. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Reads a file that the caller named (a migration, a template), with the caller's own rights. */
export function readCallersFile(path: string): string {
  return asOwnerOrCaller(() => readFileSync(path, 'utf8'));
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

import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import { AppError } from '../errors.ts';

/** True for the error that says a file is not there. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

export const exists = existsSync;

export function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** True for a folder, and for a link that leads to one. */
export function isFolderBehindLinks(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
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

/** Tells a file or folder apart from what it may become; undefined when there is none. */
export function fingerprint(path: string): string | undefined {
  const info = statSync(path, { bigint: true, throwIfNoEntry: false });
  return info && [info.dev, info.ino, info.size, info.mtimeNs].join(' ');
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

/** The bytes of a file, a chunk at a time: each is good until the next one is asked for, and full but the last. */
export function* chunksOf(path: string, chunkBytes = 1024 * 1024): Generator<Buffer> {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(chunkBytes);
    for (;;) {
      let filled = 0;
      for (let read = -1; read !== 0 && filled < chunkBytes; filled += read) {
        read = readSync(file, buffer, filled, chunkBytes - filled, null);
      }
      if (filled > 0) yield buffer.subarray(0, filled);
      if (filled < chunkBytes) return;
    }
  } finally {
    closeSync(file);
  }
}

/** The text from byte `offset` to the end. */
export function readTextFrom(path: string, offset: number): string {
  const size = fileSize(path) ?? 0;
  return (readBytes(path, offset, Math.max(0, size - offset)) ?? Buffer.alloc(0)).toString('utf8');
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

/** Free bytes for an ordinary user on the file system that holds `path`, or that will: it need not be there yet. */
export function freeBytes(path: string): number {
  if (!existsSync(path) && path !== dirname(path)) return freeBytes(dirname(path));
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** True when both are on one file system, whose room they share. */
export function onOneDisk(a: string, b: string): boolean {
  return statSync(a).dev === statSync(b).dev;
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

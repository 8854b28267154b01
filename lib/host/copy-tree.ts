import { constants, copyFileSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { chmod, copyFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { sha256 } from './files.ts';
import { syncFolder } from './for-good.ts';

export interface CopyOptions {
  signal: AbortSignal;
  /** Told how many bytes are copied so far. */
  progress: (bytes: number) => void;
}

interface Plan {
  folders: { path: string; mode: number }[];
  files: { path: string; mode: number; sizeBytes: number }[];
  links: { path: string; target: string }[];
}

/** How many files are copied at once: each waits for its disk twice. */
const atOnce = 4;

/**
 * Copies a folder that nobody writes to, for good: each file synced and then compared with what it was copied from by its
 * SHA-256, each folder synced. Modes stay; links are copied as links. The target must not be there.
 * @returns the bytes of all files
 * @throws FILE_DAMAGED for a copy that is not the same
 */
export async function copyTree(from: string, to: string, { signal, progress }: CopyOptions): Promise<number> {
  const plan: Plan = { folders: [], files: [], links: [] };
  look(from, '', plan);
  for (const { path } of plan.folders) mkdirSync(join(to, path), { mode: 0o700 });
  for (const { path, target } of plan.links) symlinkSync(target, join(to, path));
  let bytes = 0;
  const queue = [...plan.files];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      signal.throwIfAborted();
      await copyOne(join(from, file.path), join(to, file.path), file.mode);
      progress((bytes += file.sizeBytes));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  for (const { path, mode } of plan.folders.toReversed()) {
    syncFolder(join(to, path));
    await chmod(join(to, path), mode);
  }
  return bytes;
}

/**
 * Copies a folder of files and folders that nobody writes to, as quickly as the file system can (it may share the blocks);
 * what is not synced here, the caller syncs. Modes stay. The target must not be there.
 */
export function copyTreeUnsynced(from: string, to: string, signal: AbortSignal): void {
  signal.throwIfAborted();
  mkdirSync(to, { mode: lstatSync(from).mode & 0o777 });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyTreeUnsynced(source, target, signal);
    else copyFileSync(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  }
}

/** How many files a folder holds, and their bytes. */
export function treeSize(folder: string): { files: number; bytes: number } {
  const plan: Plan = { folders: [], files: [], links: [] };
  look(folder, '', plan);
  return { files: plan.files.length, bytes: plan.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

/** Sockets and the like are of a process, and go nowhere. */
function look(folder: string, path: string, plan: Plan): void {
  plan.folders.push({ path, mode: lstatSync(join(folder, path)).mode & 0o777 });
  for (const name of readdirSync(join(folder, path)).sort()) {
    const entry = join(path, name);
    const info = lstatSync(join(folder, entry));
    if (info.isDirectory()) look(folder, entry, plan);
    else if (info.isSymbolicLink()) plan.links.push({ path: entry, target: readlinkSync(join(folder, entry)) });
    else if (info.isFile()) plan.files.push({ path: entry, mode: info.mode & 0o777, sizeBytes: info.size });
  }
}

async function copyOne(from: string, to: string, mode: number): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL);
  const file = await open(to, 'r+');
  try {
    await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
  if ((await sha256(from)) === (await sha256(to))) return;
  throw new AppError('FILE_DAMAGED', `the copy ${to} is not the same as ${from}`, {
    hint: 'one of the two disks is not to be trusted: look at dmesg and smartctl; nothing was changed',
  });
}

import { lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncFolder, writeSynced } from './for-good.ts';
import { asOwnerOrCaller } from './users.ts';

/** One file of a tree. */
export interface TreeFile {
  /** Below the tree's folder. */
  path: string;
  bytes: Buffer;
  executable: boolean;
}

/**
 * Reads all files below a folder that the caller may read, of those whose path is wanted, in one step: root's rights are
 * taken back once at most.
 */
export function readCallersTree(folder: string, wanted: (path: string) => boolean): TreeFile[] {
  return asOwnerOrCaller(() => readBelow(folder, '', wanted));
}

function readBelow(folder: string, below: string, wanted: (path: string) => boolean): TreeFile[] {
  return readdirSync(join(folder, below)).flatMap((name) => {
    const path = join(below, name);
    const info = lstatSync(join(folder, path));
    if (info.isDirectory()) return readBelow(folder, path, wanted);
    if (!info.isFile() || !wanted(path)) return [];
    return { path, bytes: readFileSync(join(folder, path)), executable: (info.mode & 0o111) !== 0 };
  });
}

/** Writes files into a folder that exists, for good: each file synced, and each folder after what is in it. */
export function writeTree(folder: string, files: readonly TreeFile[]): void {
  const folders = new Set<string>([folder]);
  for (const { path, bytes, executable } of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    for (let parent = dirname(file); !folders.has(parent); parent = dirname(parent)) folders.add(parent);
    writeSynced(file, bytes, executable ? 0o755 : 0o644);
  }
  for (const made of [...folders].toReversed()) syncFolder(made);
}

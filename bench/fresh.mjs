import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atEnd } from './measure.mjs';
import { work } from './place.mjs';

/** Whether `onFresh` can do more than make a folder. */
export const canMount = process.getuid() === 0 && mounts();

/**
 * Runs some work on an empty file system of its own, an image in the bench's folder. ext4 keeps away from inodes that were
 * freed in the last minutes, and looks at each of them again for every new file: whoever makes thousands of files where
 * thousands have just been removed, as a bench does from turn to turn, measures that search.
 * Where none can be mounted, in a plain folder.
 * @template T
 * @param {string} name
 * @param {(folder: string) => Promise<T>} task its servers must be stopped when it ends
 * @returns {Promise<T>}
 */
export async function onFresh(name, task) {
  const folder = join(work, name);
  mkdirSync(folder);
  const release = canMount ? mount(folder) : () => {};
  try {
    chmodSync(folder, 0o755);
    return await task(folder);
  } finally {
    release();
    rmSync(folder, { recursive: true, force: true });
  }
}

function mount(folder) {
  const image = `${folder}.img`;
  writeFileSync(image, '');
  truncateSync(image, 8 * 2 ** 30);
  execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image]);
  execFileSync('mount', ['-o', 'loop', image, folder]);
  let mounted = true;
  const release = () => {
    if (!mounted) return;
    execFileSync('umount', [folder]);
    mounted = false;
    rmSync(image);
  };
  atEnd(release);
  return release;
}

/** Containers often may not. */
function mounts() {
  try {
    const folder = join(work, 'may-mount');
    mkdirSync(folder);
    mount(folder)();
    rmSync(folder, { recursive: true });
    return true;
  } catch {
    return false;
  }
}

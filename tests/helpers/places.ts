import { mkdtempSync, readFileSync, realpathSync, statfsSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Where tests keep their servers: in memory, where there is room for them and programs may run. On a disk most of a test's
 * work is syncing what nobody keeps. PG_TEST_FOLDER=/tmp takes a disk, as one part of .ci/run does.
 */
const place = process.env['PG_TEST_FOLDER'] ?? (isRoomy('/dev/shm') ? '/dev/shm' : tmpdir());

function isRoomy(folder: string): boolean {
  const wantedBytes = 8 * 1024 ** 3;
  const mounted = readMounts().find((fields) => fields[1] === folder);
  if (mounted?.[2] !== 'tmpfs' || mounted[3]?.split(',').includes('noexec')) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize >= wantedBytes && freemem() >= wantedBytes;
}

/** The fields of proc_mounts(5); none on a system without /proc. */
function readMounts(): string[][] {
  try {
    return readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '));
  } catch {
    return [];
  }
}

/** Makes a folder of a test's own; `onDisk` where memory is what the test is about. */
export function makeTestFolder(prefix: string, { onDisk = false } = {}): string {
  return realpathSync(mkdtempSync(join(onDisk ? tmpdir() : place, prefix)));
}

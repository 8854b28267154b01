import { randomBytes } from 'node:crypto';
import { readlinkSync, renameSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { removeFile } from './folders.ts';
import { syncFolder } from './for-good.ts';
import { isMissing } from './files.ts';

/** Where a symbolic link leads, as it is written; undefined for anything else and for nothing. */
export function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'EINVAL') return undefined;
    throw error;
  }
}

/** Makes a link, or leads the one that is there elsewhere: in one step, for good. */
export function pointLink(path: string, target: string): void {
  const temporary = join(dirname(path), `.link-${randomBytes(6).toString('hex')}.tmp`);
  symlinkSync(target, temporary);
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/** Takes a link away, never what it leads to, nor anything that is no link. */
export function removeLink(path: string): void {
  if (linkTarget(path) === undefined) return;
  removeFile(path);
  syncFolder(dirname(path));
}

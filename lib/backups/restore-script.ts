import { join } from 'node:path';
import { readCallersFile } from '../host/callers-files.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { projectDirectory } from '../host/project.ts';

/** Puts the script that a recovering server fetches WAL with at `path`, away from the checkout, and returns the path. */
export function installRestoreScript(path: string): string {
  writeFileForGood(path, readCallersFile(join(projectDirectory, 'templates', 'restore-wal.sh')), 0o700);
  return path;
}

import { join } from 'node:path';
import { readCallersFile } from '../host/callers-files.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { projectDirectory } from '../host/project.ts';

/** Puts the script that a recovering server fetches WAL with at `path`, away from the checkout, and returns the path. */
export function installRestoreScript(path: string): string {
  return installScript('restore-wal.sh', path);
}

/** The same of another script of ours. */
export function installScript(template: 'restore-wal.sh' | 'archive-wal.sh', path: string): string {
  writeFileForGood(path, readCallersFile(join(projectDirectory, 'templates', template)), 0o700);
  return path;
}

import { join } from 'node:path';
import { fileSize, isFolder, sha256 } from '../host/files.ts';
import type { Operation } from '../operation.ts';
import { type Backup, backupFolder, type Check } from './catalogue.ts';
import { archiveOfBackup } from './repository.ts';
import { findDamaged, findGaps, readArchive } from './wal-check.ts';

/** Are the stored bytes still those that the backup was made of? */
export async function checkStoredFiles({ places }: Pick<Operation, 'places'>, backup: Backup): Promise<Check> {
  return await compareFiles(backupFolder(places, backup.instance.name, backup.id), backup.files);
}

/** Compares the files in a folder with what was written down of them. */
export async function compareFiles(folder: string, files: Backup['files']): Promise<Check> {
  const damaged: string[] = [];
  for (const { name, sizeBytes, sha256: hash } of files) {
    const file = join(folder, name);
    const size = fileSize(file);
    if (size === undefined) damaged.push(`${name} is missing`);
    else if (size !== sizeBytes) damaged.push(`${name} has ${size} bytes instead of ${sizeBytes}`);
    else if ((await sha256(file)) !== hash) damaged.push(`${name} is damaged (its SHA-256 has changed)`);
  }
  return {
    name: 'stored files',
    ok: damaged.length === 0,
    detail: damaged.join('; ') || `${files.length} files, hashes agree`,
  };
}

/** Is all WAL there that a recovery from this backup, to its end and on to the newest, can ask for? */
export async function checkArchivedWal(
  { places, task }: Pick<Operation, 'places' | 'task'>,
  backup: Backup,
): Promise<Check> {
  const folder = archiveOfBackup(places, backup.instance.name, backup.instance.id);
  const check = { name: 'archived WAL' };
  if (!isFolder(folder)) return { ...check, ok: false, detail: `the archive ${folder} is missing` };
  const { needed, missing } = findGaps(backup, readArchive(folder, backup.segmentBytes));
  const { systemIdentifier } = backup.instance;
  const source = { folder, segmentBytes: backup.segmentBytes, systemIdentifier };
  const damaged = await findDamaged(source, needed, task.signal);
  const wrong = [...missing.map((name) => `${name} is missing`), ...damaged];
  const some = wrong.length > 5 ? [...wrong.slice(0, 5), `and ${wrong.length - 5} more`] : wrong;
  return {
    ...check,
    ok: wrong.length === 0,
    detail: some.join('; ') || `${needed.length} segment${needed.length === 1 ? '' : 's'} without a gap`,
  };
}

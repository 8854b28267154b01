import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { listCallersFolder, readCallersFile } from '../host/callers-files.ts';

/** A file that undoes a migration; it is listed and never run as a forward migration. */
export interface DownFile {
  /** The digits at the head of the name, as they are written there. */
  version: string;
  name: string;
  /** The base name. */
  file: string;
  path: string;
}

export interface MigrationFile extends DownFile {
  /** The text as it goes to the server: without a byte order mark, its line ends untouched. */
  sql: string;
  checksum: string;
}

export interface MigrationFolder {
  /** In the order in which they are applied. */
  forward: MigrationFile[];
  down: DownFile[];
}

const expected = 'NNN_name.sql or NNN_name.up.sql; NNN_name.down.sql and rollback_NNN_name.sql undo one';

/**
 * The forward migrations of a folder, ordered by the number of their version.
 * @throws MIGRATIONS_NOT_FOUND where there is no folder or no migration in it
 * @throws MIGRATION_AMBIGUOUS for a `.sql` file of another name, and for two files of one version
 */
export function readMigrations(folder: string): MigrationFile[] {
  return readMigrationFolder(folder).forward;
}

/** As `readMigrations`, with the files that undo. */
export function readMigrationFolder(folder: string): MigrationFolder {
  const names = listCallersFolder(folder);
  if (names === undefined) throw notFound(`there is no folder ${folder}`);
  const found = names.flatMap((file) => classify(folder, file));
  const forward = inOrder(found.filter(({ undoes }) => !undoes));
  if (forward.length === 0) throw notFound(`${folder} holds no migration`);
  refuseTwins(forward);
  return {
    forward: forward.map(withText),
    down: inOrder(found.filter(({ undoes }) => undoes)),
  };
}

/** Below zero when version `a` comes first, zero when both are one version: `2` before `10`, `001` equal to `1`. */
export function compareVersions(a: string, b: string): number {
  // Timestamps of 17 digits are beyond what a number holds exactly.
  const difference = BigInt(a) - BigInt(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** SHA-256 of the text, as lower-case hex. A byte order mark and the kind of line end do not count (git changes both). */
export function checksumOf(text: string): string {
  return createHash('sha256').update(withoutMark(text).replaceAll('\r\n', '\n')).digest('hex');
}

interface Found {
  file: DownFile;
  undoes: boolean;
}

/** What a name says; nothing for files that are not SQL (a README) or hidden (an editor's, macOS's `._001_a.sql`). */
function classify(folder: string, file: string): Found[] {
  if (file.startsWith('.') || !/\.sql$/i.test(file)) return [];
  const match = /^(?<rollback>rollback_)?(?<version>\d+)_(?<name>.+?)(?<suffix>\.up|\.down)?\.sql$/i.exec(file);
  const { rollback, version, name, suffix } = match?.groups ?? {};
  if (version === undefined || name === undefined) {
    // Skipping it in silence would be worse: `2-orders.sql` would never be applied and nobody would be told.
    throw new AppError('MIGRATION_AMBIGUOUS', `${join(folder, file)} is not named like a migration`, {
      hint: `name it ${expected} — or move it out of the folder`,
      data: { files: [file] },
    });
  }
  const undoes = rollback !== undefined || suffix?.toLowerCase() === '.down';
  return [{ file: { version, name, file, path: join(folder, file) }, undoes }];
}

function inOrder(found: Found[]): DownFile[] {
  return found.map(({ file }) => file).toSorted((a, b) => compareVersions(a.version, b.version));
}

function refuseTwins(ordered: DownFile[]): void {
  ordered.forEach((file, index) => {
    const before = ordered[index - 1];
    if (before === undefined || compareVersions(before.version, file.version) !== 0) return;
    throw new AppError(
      'MIGRATION_AMBIGUOUS',
      `${before.file} and ${file.file} are both version ${BigInt(file.version)}`,
      { hint: 'give one of them the next free number', data: { files: [before.file, file.file] } },
    );
  });
}

function withText(file: DownFile): MigrationFile {
  const text = readCallersFile(file.path);
  return { ...file, sql: withoutMark(text), checksum: checksumOf(text) };
}

function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

function notFound(message: string): AppError {
  return new AppError('MIGRATIONS_NOT_FOUND', message, {
    hint: `name the folder that holds the migrations; files are named ${expected}`,
  });
}

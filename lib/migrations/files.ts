import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { listCallersFolder, readCallersFile } from '../host/callers-files.ts';
import { MarksUnclear, readSections, type Script, type Sections } from './sections.ts';

/** A file as its name tells of it. */
export interface NamedFile {
  /** The digits at the head of the name, as they are written there; of a repeatable one `R__` and its name. */
  version: string;
  name: string;
  /** The base name. */
  file: string;
  path: string;
}

export interface MigrationFile extends NamedFile, Script {
  checksum: string;
  /** What undoes it, where the file itself holds that. */
  down?: Script;
}

export interface MigrationFolder {
  /** In the order in which they are applied. */
  forward: MigrationFile[];
  /** Files that undo a migration: never run as forward migrations, and at most one a version. */
  down: NamedFile[];
  /** `R__name.sql`, by name: applied after all others, and again whenever their text has changed. */
  repeatable: MigrationFile[];
}

const expected =
  'NNN_name.sql or NNN_name.up.sql; NNN_name.down.sql and rollback_NNN_name.sql undo one; R__name.sql is run again when it changes';

/**
 * The forward migrations of a folder, ordered by the number of their version.
 * @throws as `readMigrationFolder`
 */
export function readMigrations(folder: string): MigrationFile[] {
  return readMigrationFolder(folder).forward;
}

/**
 * All that a folder holds, of whichever tool it was made for.
 * @throws MIGRATIONS_NOT_FOUND where there is no folder or no migration in it
 * @throws MIGRATION_AMBIGUOUS for a `.sql` file of another name, for two files that do or undo one version, and for marks of
 *   several tools
 */
export function readMigrationFolder(folder: string): MigrationFolder {
  const names = listCallersFolder(folder);
  if (names === undefined) throw notFound(`there is no folder ${folder}`);
  const found = names.flatMap((file) => classify(folder, file));
  const of = (kind: Kind): NamedFile[] => found.filter((one) => one.kind === kind).map(({ file }) => file);
  const [forward, down] = [inOrder(of('forward')), inOrder(of('down'))];
  const repeatable = of('repeatable');
  if (forward.length + repeatable.length === 0) throw notFound(`${folder} holds no migration`);
  refuseTwins(forward, 'both are version');
  refuseTwins(down, 'both undo version');
  const read = [...forward, ...repeatable].map(withText);
  refuseMixture(read, down);
  const files = read.map(({ file }) => file);
  return { forward: files.slice(0, forward.length), down, repeatable: files.slice(forward.length) };
}

/** What undoes a version, and the file that holds it; undefined where nothing does. */
export function readDown({ forward, down }: MigrationFolder, version: string): (Script & { file: string }) | undefined {
  const isIt = (one: NamedFile): boolean => compareVersions(one.version, version) === 0;
  const own = down.find(isIt);
  if (own === undefined) {
    const migration = forward.find(isIt);
    return migration?.down && { ...migration.down, file: migration.file };
  }
  const { sections } = withText(own);
  // A file that only undoes may have marks all the same: then its down section is meant.
  return { ...(sections.down ?? sections.up), file: own.file };
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

type Kind = 'forward' | 'down' | 'repeatable';

/** What a name says; nothing for files that are not SQL (a README) or hidden (an editor's, macOS's `._001_a.sql`). */
function classify(folder: string, file: string): { file: NamedFile; kind: Kind }[] {
  if (file.startsWith('.') || !/\.sql$/i.test(file)) return [];
  const path = join(folder, file);
  const again = /^R__(.+)\.sql$/.exec(file)?.[1];
  if (again !== undefined) return [{ file: { version: `R__${again}`, name: again, file, path }, kind: 'repeatable' }];
  const match = /^(?<rollback>rollback_)?(?<version>\d+)_(?<name>.+?)(?<suffix>\.up|\.down)?\.sql$/i.exec(file);
  const { rollback, version, name, suffix } = match?.groups ?? {};
  if (version === undefined || name === undefined) {
    // Skipping it in silence would be worse: `2-orders.sql` would never be applied and nobody would be told.
    throw ambiguous(
      `${path} is not named like a migration`,
      [file],
      `name it ${expected} — or move it out of the folder`,
    );
  }
  const undoes = rollback !== undefined || suffix?.toLowerCase() === '.down';
  return [{ file: { version, name, file, path }, kind: undoes ? 'down' : 'forward' }];
}

function inOrder(files: NamedFile[]): NamedFile[] {
  return files.toSorted((a, b) => compareVersions(a.version, b.version));
}

function refuseTwins(ordered: NamedFile[], what: string): void {
  ordered.forEach((file, index) => {
    const before = ordered[index - 1];
    if (before === undefined || compareVersions(before.version, file.version) !== 0) return;
    throw ambiguous(
      `${before.file} and ${file.file} ${what} ${BigInt(file.version)}`,
      [before.file, file.file],
      what.includes('undo') ? 'keep one of them' : 'give one of them the next free number',
    );
  });
}

/** One file with its text, whatever its name. @throws MIGRATION_AMBIGUOUS for marks that cannot be understood */
export function readMigrationFile(named: NamedFile): MigrationFile {
  return withText(named).file;
}

interface Read {
  file: MigrationFile;
  sections: Sections;
}

/** Two ways to undo one version, or the marks of two tools in one folder: which is meant, only its owner can say. */
function refuseMixture(read: Read[], down: NamedFile[]): void {
  const undoing = new Map(down.map((one) => [BigInt(one.version), one.file]));
  for (const { file } of read) {
    const other = file.down && undoing.get(BigInt(file.version));
    if (other === undefined) continue;
    throw ambiguous(
      `${file.file} holds a down section, and ${other} undoes it as well`,
      [file.file, other],
      'keep one of them',
    );
  }
  const marked = read.filter(({ sections }) => sections.tool !== undefined);
  const [first] = marked;
  const other = marked.find(({ sections }) => sections.tool !== first?.sections.tool);
  if (first === undefined || other === undefined) return;
  throw ambiguous(
    `${first.file.file} is marked for ${first.sections.tool}, ${other.file.file} for ${other.sections.tool}`,
    [first.file.file, other.file.file],
    'use the marks of one tool in one folder',
  );
}

function withText(named: NamedFile): Read {
  const text = withoutMark(readCallersFile(named.path));
  try {
    const sections = readSections(text);
    const { up, down } = sections;
    // Of the forward part alone: mending what undoes it changes nothing that was applied.
    const file = { ...named, ...up, checksum: checksumOf(down === undefined ? text : up.sql), ...(down && { down }) };
    return { file, sections };
  } catch (error) {
    if (!(error instanceof MarksUnclear)) throw error;
    throw ambiguous(
      `${named.path}: ${error.message}`,
      [named.file],
      'give it one section "up", first in the file, and at most one section "down"',
    );
  }
}

function ambiguous(message: string, files: string[], hint: string): AppError {
  return new AppError('MIGRATION_AMBIGUOUS', message, { hint, data: { files } });
}

function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

function notFound(message: string): AppError {
  return new AppError('MIGRATIONS_NOT_FOUND', message, {
    hint: `name the folder that holds the migrations; files are named ${expected}`,
  });
}

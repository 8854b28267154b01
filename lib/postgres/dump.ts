import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { isProgram, run } from '../host/programs.ts';
import { clientFolders, type Installation } from './installations.ts';
import type { Address } from './sql.ts';

/** The clients that write and read logical dumps, all of one folder and one major. */
export interface DumpPrograms {
  pgDump: string;
  pgDumpall: string;
  pgRestore: string;
}

/** Where a superuser reaches the server: a socket folder, its port, and who asks. */
export type ServerPlace = Address & { user: string };

/** What of a database goes into a dump. */
export type Part = 'all' | 'schema' | 'data';

/** Nobody can say how long a dump may take; a day is a bound all the same. */
const limitMs = 24 * 60 * 60 * 1000;

/**
 * The clients of a server's own major: beside the server, else where packages of clients alone put them (the PostgreSQL that
 * comes with the tool has none).
 * @throws NO_PG_DUMP
 */
export function dumpPrograms({ bindir, major }: Pick<Installation, 'bindir' | 'major'>): DumpPrograms {
  const names = ['pg_dump', 'pg_dumpall', 'pg_restore'] as const;
  const folder = clientFolders({ bindir, major }).find((one) => names.every((name) => isProgram(join(one, name))));
  if (folder === undefined) {
    throw new AppError('NO_PG_DUMP', `there is no pg_dump of PostgreSQL ${major} on this machine`, {
      hint: `install it with: apt-get install postgresql-client-${major} — a base backup (--backup-type full) needs none`,
    });
  }
  const [pgDump, pgDumpall, pgRestore] = names.map((name) => join(folder, name)) as [string, string, string];
  return { pgDump, pgDumpall, pgRestore };
}

export interface DumpOptions {
  database: string;
  part: Part;
  /** The snapshot of another session that it reads. */
  snapshot: string;
  /** A schema that is left out. */
  without: string | undefined;
  file: string;
}

/** Writes one database in the custom format, synced (PostgreSQL's documentation, "pg_dump"). @throws PROGRAM_FAILED */
export async function dumpDatabase(
  { pgDump }: DumpPrograms,
  server: ServerPlace,
  { database, part, snapshot, without, file }: DumpOptions,
  signal: AbortSignal,
): Promise<void> {
  const args = [
    '--format=custom',
    '--no-password',
    // A table that somebody holds for himself is waited for, and not for ever.
    '--lock-wait-timeout=300s',
    `--snapshot=${snapshot}`,
    ...(part === 'all' ? [] : [`--${part}-only`]),
    ...(without === undefined ? [] : [`--exclude-schema="${without}"`]),
    `--file=${file}`,
    ...connection(server, database),
  ];
  await run(pgDump, args, { signal, timeoutMs: limitMs });
}

/** The SQL that makes the roles of a server, their memberships, settings and password verifiers. @throws PROGRAM_FAILED */
export async function dumpRoles(
  { pgDumpall }: DumpPrograms,
  server: ServerPlace,
  signal: AbortSignal,
): Promise<string> {
  const args = ['--roles-only', '--no-password', ...connection(server, 'postgres')];
  return (await run(pgDumpall, args, { signal, timeoutMs: 600_000 })).stdout;
}

export interface RestoreOptions {
  file: string;
  /** The database to restore into; undefined makes the one that the dump is of. */
  database: string | undefined;
  part: Part;
  /** All of it or nothing. */
  atomic: boolean;
  /** Names what is to be restored, one entry of the dump a line; all of it without. */
  listFile?: string;
}

/** Restores one database, ending with the first error (PostgreSQL's documentation, "pg_restore"). @throws PROGRAM_FAILED */
export async function restoreDatabase(
  { pgRestore }: DumpPrograms,
  server: ServerPlace,
  { file, database, part, atomic, listFile }: RestoreOptions,
  signal: AbortSignal,
): Promise<void> {
  const args = [
    '--exit-on-error',
    '--no-password',
    ...(part === 'data' ? ['--data-only', '--disable-triggers'] : []),
    ...(atomic ? ['--single-transaction'] : []),
    ...(database === undefined ? ['--create'] : []),
    ...(listFile === undefined ? [] : [`--use-list=${listFile}`]),
    // One that is made is none of these: pg_dump has it made from template0.
    ...connection(server, database ?? 'template1'),
    file,
  ];
  await run(pgRestore, args, { signal, timeoutMs: limitMs });
}

/** The entries of a dump without those that fill materialized views. @throws PROGRAM_FAILED */
export async function entriesWithoutRefresh(
  { pgRestore }: DumpPrograms,
  file: string,
  signal: AbortSignal,
): Promise<string> {
  const { stdout } = await run(pgRestore, ['--create', '--list', file], { signal, timeoutMs: 600_000 });
  return stdout
    .split('\n')
    .filter((line) => !/^\d+; \d+ \d+ MATERIALIZED VIEW DATA /.test(line))
    .join('\n');
}

const databaseEntry = /^\d+; \d+ \d+ (DATABASE|DATABASE PROPERTIES|(ACL|COMMENT|SECURITY LABEL) - DATABASE) /;

/**
 * The SQL that makes a dump's database itself: its encoding, locale, owner, grants and settings, and nothing in it.
 * @param listFile where to write which entries of the dump that are
 */
export async function databaseStatements(
  { pgRestore }: DumpPrograms,
  file: string,
  listFile: { path: string; write: (text: string) => void },
  signal: AbortSignal,
): Promise<string> {
  const { stdout } = await run(pgRestore, ['--create', '--list', file], { signal, timeoutMs: 600_000 });
  const entries = stdout.split('\n').filter((line) => databaseEntry.test(line));
  listFile.write(`${entries.join('\n')}\n`);
  const args = ['--create', `--use-list=${listFile.path}`, '--file=-', file];
  return (await run(pgRestore, args, { signal, timeoutMs: 600_000 })).stdout;
}

/** A name with an equals sign would be read as a connection string: so it is always given as one. */
function connection({ host, port, user }: ServerPlace, database: string): string[] {
  const dbname = `dbname='${database.replaceAll(/[\\']/g, '\\$&')}'`;
  return ['--host', host, '--port', String(port), '--username', user, '--dbname', dbname];
}

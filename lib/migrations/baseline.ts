import { AppError } from '../errors.ts';
import { identifier, type Client } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { compareVersions, type MigrationFile, readMigrations } from './files.ts';
import { ensureHistory, migrationSchema, openHistory, readHistory, recordSql } from './history.ts';
import { withMigrationLock } from './lock.ts';
import { defaultLockRetry } from './retry.ts';
import { beginRun, endRun } from './runs.ts';
import { type MigrationConnection, withReader, withSession } from './session.ts';

export interface BaselineOptions {
  folder: string;
  lockTimeoutMs: number;
  toolVersion: string;
  /** The person who gave the command, where one is known. */
  caller?: string;
  dryRun: boolean;
  /** Takes every file up to this version for applied; without it the history of another tool says which are. */
  to?: string;
}

export interface BaselineResult {
  /** The tool whose history was read; null where the caller has said it. */
  from: string | null;
  /** What counts as applied now, and did not before. */
  recorded: { version: string; name: string }[];
}

/** Makes the history, empty; does nothing where it is. @throws MIGRATION_LOCKED, SQL_FAILED */
export async function initHistory(
  task: Task,
  connection: MigrationConnection,
  { lockTimeoutMs }: { lockTimeoutMs: number },
): Promise<void> {
  await withSession(task, connection, defaultLockRetry, async ({ client }) =>
    withMigrationLock(task, client, lockTimeoutMs, async () => ensureHistory(client)),
  );
}

/**
 * Records files as applied that another tool, or somebody by hand, has applied; runs none of them.
 * @throws BASELINE_UNCLEAR where no other tool's history is found, or several, or one that its tool calls dirty, or one that
 *   names versions which the folder has not; MIGRATIONS_NOT_FOUND, MIGRATION_AMBIGUOUS, MIGRATION_LOCKED, SQL_FAILED
 */
export async function baseline(
  task: Task,
  connection: MigrationConnection,
  options: BaselineOptions,
): Promise<BaselineResult> {
  const { caller, toolVersion } = options;
  const files = readMigrations(options.folder);
  if (options.dryRun) {
    return withReader(task, connection, async (client) => {
      const { from, chosen } = await choose(client, files, options.to);
      const { applied } = await readHistory(client);
      return { from, recorded: unrecorded(chosen, applied).map(briefly) };
    });
  }
  return withSession(task, connection, defaultLockRetry, async ({ client }) =>
    withMigrationLock(task, client, options.lockTimeoutMs, async () => {
      const { from, chosen } = await choose(client, files, options.to);
      const { applied } = await openHistory(client, migrationSchema);
      const recorded = unrecorded(chosen, applied);
      if (recorded.length > 0) await record(client, recorded, { from, caller, toolVersion });
      return { from, recorded: recorded.map(briefly) };
    }),
  );
}

async function record(
  client: Client,
  files: MigrationFile[],
  { from, caller, toolVersion }: { from: string | null; caller: string | undefined; toolVersion: string },
): Promise<void> {
  await client.query('BEGIN');
  const what = from === null ? 'baseline' : `baseline from ${from}`;
  const begin = { what, caller, restorePoint: undefined, toolVersion };
  const run = await beginRun(client, migrationSchema, begin);
  const rows = files.map((file) => recordSql({ file, schema: migrationSchema, toolVersion, run }, 'migrations'));
  await client.query(rows.join(';\n'));
  await endRun(client, migrationSchema, run, { files: files.map(({ file }) => file) });
  await client.query('COMMIT');
}

interface Chosen {
  from: string | null;
  chosen: MigrationFile[];
}

async function choose(client: Client, files: MigrationFile[], to: string | undefined): Promise<Chosen> {
  if (to !== undefined) {
    if (!files.some(({ version }) => compareVersions(version, to) === 0)) {
      throw new AppError('MIGRATIONS_NOT_FOUND', `there is no migration of version ${to}`, {
        hint: `known are ${files.map(({ version }) => version).join(', ')}`,
      });
    }
    return { from: null, chosen: upTo(files, to) };
  }
  const found = await foreignHistory(client);
  return { from: found.tool, chosen: matching(files, found) };
}

interface Foreign {
  tool: string;
  table: string;
  /** Digits; of a tool that keeps only the newest, that one and `onlyNewest`. */
  versions: string[];
  onlyNewest: boolean;
}

/** The history of the one other tool that has worked on this database. */
async function foreignHistory(client: Client): Promise<Foreign> {
  const { rows } = await client.query<{ name: string; schema: string; columns: string[] }>(
    `SELECT c.table_name AS name, c.table_schema AS schema, pg_catalog.array_agg(c.column_name::text) AS columns
     FROM information_schema.columns c
     WHERE c.table_name IN ('schema_migrations', 'pgmigrations')
       AND pg_catalog.to_regclass(pg_catalog.quote_ident(c.table_name))
         = pg_catalog.to_regclass(pg_catalog.format('%I.%I', c.table_schema, c.table_name))
     GROUP BY 1, 2 ORDER BY 1`,
  );
  const [first, second] = rows;
  if (first === undefined) {
    throw unclear(
      'there is no history of another tool here: neither schema_migrations (dbmate, golang-migrate, manage.sh) nor pgmigrations (node-pg-migrate)',
      'say what is applied: --baseline --to VERSION',
    );
  }
  if (second !== undefined) {
    throw unclear(
      `two tools have kept a history here: ${rows.map(({ schema, name }) => `${schema}.${name}`).join(' and ')}`,
      'say what is applied: --baseline --to VERSION',
    );
  }
  return readForeign(client, first);
}

async function readForeign(
  client: Client,
  { name, schema, columns }: { name: string; schema: string; columns: string[] },
): Promise<Foreign> {
  const table = `${identifier(schema)}.${identifier(name)}`;
  const golang = name === 'schema_migrations' && columns.includes('dirty');
  const tool = name === 'pgmigrations' ? 'node-pg-migrate' : golang ? 'golang-migrate' : 'schema_migrations';
  const key = name === 'pgmigrations' ? 'name' : 'version';
  const { rows } = await client.query<{ key: string; dirty: boolean }>(
    `SELECT ${key}::text AS key, ${golang ? 'dirty' : 'false'} AS dirty FROM ${table} ORDER BY 1`,
  );
  const dirty = rows.find((row) => row.dirty);
  if (dirty !== undefined) {
    throw unclear(
      `golang-migrate calls version ${dirty.key} dirty: it has failed there, and some of it may be applied`,
      'finish or undo that file by hand, then say what is applied: --baseline --to VERSION',
    );
  }
  // A name begins with its version: node-pg-migrate's, and that of the old manage.sh.
  const versions = rows.map((row) => /^\d+/.exec(row.key)?.[0] ?? row.key);
  return { tool, table: `${schema}.${name}`, versions, onlyNewest: golang };
}

function matching(files: MigrationFile[], { table, versions, onlyNewest }: Foreign): MigrationFile[] {
  const known = new Map(files.map((file) => [BigInt(file.version), file]));
  const strange = versions.filter((version) => !/^\d+$/.test(version) || !known.has(BigInt(version)));
  if (strange.length > 0) {
    throw unclear(
      `${table} names ${strange.slice(0, 5).join(', ')}${strange.length > 5 ? ', …' : ''}, and the folder has no such version`,
      'is this the right folder, the right branch? Else say what is applied: --baseline --to VERSION',
    );
  }
  const [newest] = versions;
  if (onlyNewest) return newest === undefined ? [] : upTo(files, newest);
  return versions.flatMap((version) => known.get(BigInt(version)) ?? []);
}

function upTo(files: MigrationFile[], to: string): MigrationFile[] {
  return files.filter(({ version }) => compareVersions(version, to) <= 0);
}

function unrecorded(chosen: MigrationFile[], applied: { version: string }[]): MigrationFile[] {
  const known = new Set(applied.map(({ version }) => BigInt(version)));
  return chosen.filter(({ version }) => !known.has(BigInt(version)));
}

function unclear(message: string, hint: string): AppError {
  return new AppError('BASELINE_UNCLEAR', message, { hint });
}

function briefly({ version, name }: MigrationFile): { version: string; name: string } {
  return { version, name };
}

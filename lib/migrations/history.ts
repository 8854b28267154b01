import { identifier, literal, type Client } from '../postgres/sql.ts';

/** A row of `migrations`: one file that was applied to this database. */
export interface AppliedMigration {
  version: string;
  name: string;
  file: string;
  checksum: string;
  /** ISO-8601 UTC. */
  appliedAt: string;
  seconds: number;
}

/** How far a file that runs statement by statement has come, in one direction. */
export interface StatementRecord {
  version: string;
  direction: Direction;
  /** From 1, in the order of the file. */
  statement: number;
  checksum: string;
  /** `begun` is what may or may not have happened: the connection ended between the statement and its record. */
  state: 'begun' | 'done';
  /** Before a statement that makes indexes outside a transaction: the oid of every index there was. */
  indexes: string[];
}

export type Direction = 'up' | 'down';

export interface History {
  applied: AppliedMigration[];
  /** Files `R__name.sql`, as they were last applied. */
  repeatable: AppliedMigration[];
  statements: StatementRecord[];
}

/** The schema that holds the history. Not "pg_manage": names that begin with pg_ are the server's own (42939). */
export const migrationSchema = 'pgmanage';

const create = (schema: string): string => `
  CREATE SCHEMA IF NOT EXISTS ${schema};
  CREATE TABLE IF NOT EXISTS ${schema}.migrations (
    version text PRIMARY KEY,
    name text NOT NULL,
    file text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    seconds double precision NOT NULL,
    tool_version text NOT NULL,
    applied_by text NOT NULL DEFAULT session_user
  );
  ALTER TABLE ${schema}.migrations ADD COLUMN IF NOT EXISTS run bigint;
  CREATE TABLE IF NOT EXISTS ${schema}.repeatables (LIKE ${schema}.migrations INCLUDING ALL);
  CREATE TABLE IF NOT EXISTS ${schema}.runs (
    run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what text NOT NULL,
    restore_point text,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    tool_version text NOT NULL,
    started_by text NOT NULL DEFAULT session_user
  );
  CREATE TABLE IF NOT EXISTS ${schema}.statements (
    version text NOT NULL,
    direction text NOT NULL,
    statement integer NOT NULL,
    checksum text NOT NULL,
    state text NOT NULL,
    indexes oid[] NOT NULL,
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (version, direction, statement)
  );
  COMMENT ON TABLE ${schema}.migrations IS 'what pg-manage has applied to this database';
  COMMENT ON TABLE ${schema}.repeatables IS 'the R__ files, as pg-manage has last applied them';
  COMMENT ON TABLE ${schema}.runs IS 'what pg-manage has begun here, and the restore point it made before';
  COMMENT ON TABLE ${schema}.statements IS 'how far pg-manage has come with a file that cannot run in one transaction'`;

const tables = ['migrations', 'repeatables', 'statements'] as const;

/**
 * Makes the history where there is none. Only ever called under the migration lock: IF NOT EXISTS alone is not safe against
 * a second migrator (23505 on pg_namespace or pg_type, 42P07; svix-webhooks#2633, rocicorp/mono#2191).
 */
export async function ensureHistory(client: Client, schema = migrationSchema): Promise<void> {
  // Not left to IF NOT EXISTS, which asks for the right to create even where nothing is to be created.
  const found = await presentTables(client, schema);
  if (!tables.every((table) => found.has(table))) await client.query(create(identifier(schema)));
}

/** What was applied, or nothing where there is no history; makes none. */
export async function readHistory(client: Client, schema = migrationSchema): Promise<History> {
  const found = await presentTables(client, schema);
  const rowsOf = async <T>(table: (typeof tables)[number], columns: string): Promise<T[]> => {
    if (!found.has(table)) return [];
    const { rows } = await client.query(`SELECT ${columns} FROM ${identifier(schema)}.${table} ORDER BY 1, 2, 3`);
    return rows as T[];
  };
  return {
    applied: (await rowsOf<AppliedRow>('migrations', appliedColumns)).map(toApplied),
    repeatable: (await rowsOf<AppliedRow>('repeatables', appliedColumns)).map(toApplied),
    statements: await rowsOf(
      'statements',
      'version, direction, statement, checksum, state, indexes::text[] AS indexes',
    ),
  };
}

/** Notes a run before it begins, and gives its number. */
export async function recordRun(
  client: Client,
  schema: string,
  run: { what: string; restorePoint: string | undefined; toolVersion: string },
): Promise<string> {
  const { rows } = await client.query<{ run: string }>(
    `INSERT INTO ${identifier(schema)}.runs (what, restore_point, tool_version) VALUES ($1, $2, $3) RETURNING run`,
    [run.what, run.restorePoint ?? null, run.toolVersion],
  );
  return rows[0]?.run ?? '';
}

/** A file to record, and by what. */
export interface Recorded {
  file: Pick<AppliedMigration, 'version' | 'name' | 'file' | 'checksum'>;
  schema: string;
  toolVersion: string;
  run: string;
}

/** SQL that writes the row of a file, for the transaction of that file: both are there or neither. */
export function recordSql({ file, schema, toolVersion, run }: Recorded, table: 'migrations' | 'repeatables'): string {
  const values = [file.version, file.name, file.file, file.checksum, toolVersion].map(literal).join(', ');
  const seconds = "pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp())";
  const insert = `INSERT INTO ${identifier(schema)}.${table} (version, name, file, checksum, tool_version, seconds, run)
    VALUES (${values}, ${seconds}, ${run})`;
  if (table === 'migrations') return insert;
  return `${insert} ON CONFLICT (version) DO UPDATE SET file = excluded.file, checksum = excluded.checksum,
    tool_version = excluded.tool_version, seconds = excluded.seconds, run = excluded.run,
    applied_at = excluded.applied_at, applied_by = excluded.applied_by`;
}

/** SQL that takes the row of a file away, for the transaction that undoes it. */
export function unrecordSql(schema: string, version: string): string {
  return `DELETE FROM ${identifier(schema)}.migrations WHERE version = ${literal(version)}`;
}

interface AppliedRow extends Omit<AppliedMigration, 'appliedAt'> {
  appliedAt: Date;
}

const appliedColumns = 'version, name, file, checksum, applied_at AS "appliedAt", seconds';

function toApplied(row: AppliedRow): AppliedMigration {
  return { ...row, appliedAt: row.appliedAt.toISOString() };
}

async function presentTables(client: Client, schema: string): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = $1',
    [schema],
  );
  return new Set(rows.map(({ name }) => name));
}

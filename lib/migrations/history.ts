import { identifier, literal, type Client } from '../postgres/sql.ts';
import { createRuns } from './runs.ts';
import { type Present, presentTables } from './tables.ts';

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

/** The schema that holds the history of seeds. */
export const seedSchema = 'pgmanage_seeds';

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
  COMMENT ON TABLE ${schema}.statements IS 'how far pg-manage has come with a file that cannot run in one transaction';
  ${createRuns(schema)}`;

const tables = ['migrations', 'repeatables', 'statements'] as const;

/**
 * Makes the history where there is none. Only ever called under the migration lock: IF NOT EXISTS alone is not safe against
 * a second migrator (23505 on pg_namespace or pg_type, 42P07; svix-webhooks#2633, rocicorp/mono#2191).
 */
export async function ensureHistory(client: Client, schema = migrationSchema): Promise<void> {
  await ensure(client, schema, await presentTables(client, schema));
}

/** Makes the history where there is none, and says what was applied. Only ever called under the migration lock. */
export async function openHistory(client: Client, schema: string): Promise<History> {
  const present = await presentTables(client, schema);
  const made = await ensure(client, schema, present);
  return made ? readHistory(client, schema) : readTables(client, schema, present);
}

/** What was applied, or nothing where there is no history; makes none. */
export async function readHistory(client: Client, schema = migrationSchema): Promise<History> {
  return readTables(client, schema, await presentTables(client, schema));
}

/** True where something was missing. */
async function ensure(client: Client, schema: string, present: Present): Promise<boolean> {
  // Not left to IF NOT EXISTS, which asks for the right to create even where nothing is to be created.
  if (tables.every((table) => present.has(table)) && present.get('runs')?.includes('ended_at')) return false;
  await client.query(create(identifier(schema)));
  return true;
}

async function readTables(client: Client, schema: string, present: Present): Promise<History> {
  const columnsOf = { migrations: appliedColumns, repeatables: appliedColumns, statements: statementColumns };
  const found = tables.filter((table) => present.has(table));
  const select = found.map(
    (table) => `SELECT ${columnsOf[table]} FROM ${identifier(schema)}.${table} ORDER BY 1, 2, 3`,
  );
  // One round trip; the driver gives a list where there were several statements.
  const results: unknown = found.length === 0 ? [] : await client.query(select.join(';\n'));
  const lists = (Array.isArray(results) ? results : [results]) as { rows: unknown[] }[];
  const rowsOf = <T>(table: (typeof tables)[number]): T[] => (lists[found.indexOf(table)]?.rows ?? []) as T[];
  return {
    applied: rowsOf<AppliedRow>('migrations').map(toApplied),
    repeatable: rowsOf<AppliedRow>('repeatables').map(toApplied),
    statements: rowsOf('statements'),
  };
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
const statementColumns = 'version, direction, statement, checksum, state, indexes::text[] AS indexes';

function toApplied(row: AppliedRow): AppliedMigration {
  return { ...row, appliedAt: row.appliedAt.toISOString() };
}

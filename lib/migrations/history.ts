import type { Client } from '../postgres/sql.ts';
import type { MigrationFile } from './files.ts';

/** A row of `pgmanage.migrations`: one file that was applied to this database. */
export interface AppliedMigration {
  version: string;
  name: string;
  file: string;
  checksum: string;
  /** ISO-8601 UTC. */
  appliedAt: string;
  seconds: number;
}

// Not "pg_manage": names that begin with pg_ are the server's own (42939).
const create = `
  CREATE SCHEMA IF NOT EXISTS pgmanage;
  CREATE TABLE IF NOT EXISTS pgmanage.migrations (
    version text PRIMARY KEY,
    name text NOT NULL,
    file text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    seconds double precision NOT NULL,
    tool_version text NOT NULL,
    applied_by text NOT NULL DEFAULT session_user
  );
  COMMENT ON TABLE pgmanage.migrations IS 'what pg-manage has applied to this database; written by --action migrate'`;

/**
 * Makes the history where there is none. Only ever called under the migration lock: IF NOT EXISTS alone is not safe against
 * a second migrator (23505 on pg_namespace or pg_type, 42P07; svix-webhooks#2633, rocicorp/mono#2191).
 */
export async function ensureHistory(client: Client): Promise<void> {
  // Not left to IF NOT EXISTS, which asks for the right to create even where nothing is to be created.
  if (!(await hasHistory(client))) await client.query(create);
}

/** What was applied, or nothing where there is no history; makes none. */
export async function readHistory(client: Client): Promise<AppliedMigration[]> {
  if (!(await hasHistory(client))) return [];
  const { rows } = await client.query<Omit<AppliedMigration, 'appliedAt'> & { appliedAt: Date }>(
    'SELECT version, name, file, checksum, applied_at AS "appliedAt", seconds FROM pgmanage.migrations',
  );
  return rows.map((row) => ({ ...row, appliedAt: row.appliedAt.toISOString() }));
}

/** Writes the row of a file, in the transaction of that file: both are there or neither. */
export async function recordMigration(
  client: Client,
  { version, name, file, checksum }: MigrationFile,
  { seconds, toolVersion }: { seconds: number; toolVersion: string },
): Promise<void> {
  await client.query(
    `INSERT INTO pgmanage.migrations (version, name, file, checksum, seconds, tool_version)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [version, name, file, checksum, seconds, toolVersion],
  );
}

async function hasHistory(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    "SELECT pg_catalog.to_regclass('pgmanage.migrations') IS NOT NULL AS found",
  );
  return rows[0]?.found === true;
}

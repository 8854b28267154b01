import { identifier, literal, type Client } from '../postgres/sql.ts';
import { resetSession } from './session.ts';
import { presentTables } from './tables.ts';

/** What is known of a run before its first file. */
export interface RunBegin {
  /** The action: `migrate`, `migrate-rollback`, `seed`, … */
  what: string;
  /** The person who gave the command, where one is known. */
  caller: string | undefined;
  toolVersion: string;
  restorePoint: string | undefined;
}

/** A row of `runs`: one command that changed this database. */
export interface Run extends Omit<RunBegin, 'caller' | 'restorePoint'> {
  run: number;
  /** `unfinished`: it goes on now, or something ended it that left no time to write so. */
  state: 'done' | 'failed' | 'unfinished';
  /** ISO-8601 UTC. */
  startedAt: string;
  /** Null while it is unfinished. */
  seconds: number | null;
  by: string | null;
  /** What it ran to the end, in that order. */
  files: string[];
  restorePoint: string | null;
  /** Why it failed. */
  error: string | null;
}

export const createRuns = (schema: string): string => `
  CREATE TABLE IF NOT EXISTS ${schema}.runs (
    run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what text NOT NULL,
    restore_point text,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    tool_version text NOT NULL,
    started_by text NOT NULL DEFAULT session_user
  );
  ALTER TABLE ${schema}.runs ADD COLUMN IF NOT EXISTS caller text, ADD COLUMN IF NOT EXISTS ended_at timestamptz,
    ADD COLUMN IF NOT EXISTS files text[], ADD COLUMN IF NOT EXISTS error text;
  COMMENT ON TABLE ${schema}.runs IS 'what pg-manage has run here, and the restore point it made before'`;

/** Notes a run before it begins, and gives its number. */
export async function beginRun(client: Client, schema: string, run: RunBegin): Promise<string> {
  const { rows } = await client.query<{ run: string }>(
    `INSERT INTO ${identifier(schema)}.runs (what, caller, restore_point, tool_version) VALUES ($1, $2, $3, $4) RETURNING run`,
    [run.what, run.caller, run.restorePoint, run.toolVersion],
  );
  return rows[0]?.run ?? '';
}

/**
 * Notes how a run has ended. Its commit waits for the disk, and with it all before it: see `commitSoon`.
 * @throws the driver's error
 */
export async function endRun(
  client: Client,
  schema: string,
  run: string,
  { files, failure }: { files: readonly string[]; failure?: string },
): Promise<void> {
  const values = `files = ARRAY[${files.map(literal).join(', ')}]::text[], error = ${failure === undefined ? 'NULL' : literal(failure)}`;
  const update = `UPDATE ${identifier(schema)}.runs SET ended_at = pg_catalog.clock_timestamp(), ${values} WHERE run = ${run}`;
  await client.query([...resetSession, update].join(';\n'));
}

interface RunRow extends Omit<Run, 'run' | 'state' | 'startedAt'> {
  run: string;
  startedAt: Date;
  ended: boolean;
}

/** The newest runs noted in a schema, the newest first; none where an earlier version of the tool has made its history. */
export async function readRuns(client: Client, schema: string, count: number): Promise<Run[]> {
  if (!(await presentTables(client, schema)).get('runs')?.includes('ended_at')) return [];
  const history = ['migrations', 'repeatables'].map(
    (table) => `SELECT run, file, applied_at FROM ${identifier(schema)}.${table}`,
  );
  const { rows } = await client.query<RunRow>(
    // What a run had done that could not say so is told by the history itself.
    `SELECT r.run, r.what, r.caller AS by, r.tool_version AS "toolVersion", r.restore_point AS "restorePoint", r.error,
       r.started_at AS "startedAt", r.ended_at IS NOT NULL AS ended,
       pg_catalog.date_part('epoch', r.ended_at - r.started_at) AS seconds,
       coalesce(r.files, (SELECT pg_catalog.array_agg(h.file ORDER BY h.applied_at) FROM (${history.join(' UNION ALL ')}) h
         WHERE h.run = r.run), '{}') AS files
     FROM ${identifier(schema)}.runs r ORDER BY r.run DESC LIMIT ${count}`,
  );
  return rows.map(({ ended, ...row }) => ({
    ...row,
    run: Number(row.run),
    state: !ended ? 'unfinished' : row.error === null ? 'done' : 'failed',
    startedAt: row.startedAt.toISOString(),
  }));
}

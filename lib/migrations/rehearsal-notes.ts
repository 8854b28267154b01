import type { Client } from '../postgres/sql.ts';
import { ensureHistory, migrationSchema } from './history.ts';

/** A lock that the transaction of a file still had when it was about to commit. */
export interface NotedLock {
  relation: string;
  mode: string;
}

/** A table whose files were written anew, or emptied. */
export interface Rewritten {
  relation: string;
  /** Of what it is now, with its TOAST table. */
  sizeBytes: number;
  /** As the planner knew it; null where it was never analysed. */
  rows: number | null;
}

/** What was seen from within the transaction that recorded a file, at its end. */
export interface FileNote {
  version: string;
  /** By the server's clock, in milliseconds since 1970. */
  endedMs: number;
  locks: NotedLock[];
  rewritten: Rewritten[];
  /** Of that transaction; null before PostgreSQL 15, whose counts may still hold those of the file before. */
  rows: { inserted: number; updated: number; deleted: number } | null;
}

/** Not in the tool's own schema: nothing of this may be taken for history. */
const schema = 'pgmanage_rehearsal';

const relations = `
  SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
    pg_catalog.pg_relation_filenode(c.oid) AS filenode, c.reltuples AS tuples
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v') AND n.nspname !~ '^(pg_|pgmanage)' AND n.nspname <> 'information_schema'`;

/**
 * A trigger on the history looks about in the very transaction of a file: there its locks are all still held, its rows are
 * counted, and which files a table had before is known.
 */
const install = `
  CREATE SCHEMA ${schema};
  CREATE TABLE ${schema}.relations AS ${relations};
  CREATE TABLE ${schema}.notes (number bigint GENERATED ALWAYS AS IDENTITY, note jsonb);
  CREATE FUNCTION ${schema}.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $note$
  BEGIN
    INSERT INTO ${schema}.notes (note) SELECT jsonb_build_object(
      'version', NEW.version,
      'locks', (SELECT coalesce(jsonb_agg(jsonb_build_object('relation', r.name, 'mode', l.mode) ORDER BY r.name, l.mode), '[]')
        FROM pg_locks l JOIN ${schema}.relations r ON r.oid = l.relation
        WHERE l.locktype = 'relation' AND l.granted AND l.pid = pg_backend_pid()),
      'rewritten', (SELECT coalesce(jsonb_agg(jsonb_build_object('relation', r.name, 'sizeBytes', pg_table_size(r.oid),
          'rows', nullif(r.tuples, -1)) ORDER BY r.name), '[]')
        FROM ${schema}.relations r JOIN pg_class c ON c.oid = r.oid WHERE r.filenode <> pg_relation_filenode(c.oid)),
      'rows', (SELECT CASE WHEN current_setting('server_version_num')::int >= 150000 THEN jsonb_build_object('inserted', coalesce(sum(n_tup_ins), 0), 'updated', coalesce(sum(n_tup_upd), 0),
          'deleted', coalesce(sum(n_tup_del), 0)) END
        FROM pg_stat_xact_user_tables WHERE schemaname !~ '^pgmanage'),
      'endedMs', date_part('epoch', clock_timestamp()) * 1000);
    DELETE FROM ${schema}.relations;
    INSERT INTO ${schema}.relations ${relations};
    IF current_setting('server_version_num')::int >= 150000 THEN
      PERFORM pg_stat_force_next_flush(); -- the next file is to be counted from nothing
    END IF;
    RETURN NULL;
  END $note$`;

const watch = (table: string): string =>
  `CREATE TRIGGER ${schema} AFTER INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${schema}.note()`;

/** Makes the history, as the role that migrates, where there is none yet. */
export async function prepareHistory(client: Client): Promise<void> {
  await ensureHistory(client);
}

/** Has each file looked at from within, on a copy that is thrown away. @param client of the superuser */
export async function installNotes(client: Client): Promise<void> {
  await client.query(install);
  const { rows } = await client.query<{ name: string }>(
    `SELECT pg_catalog.format('%I.%I', schemaname, tablename) AS name FROM pg_catalog.pg_tables
     WHERE schemaname = '${migrationSchema}' AND tablename IN ('migrations', 'repeatables')`,
  );
  for (const { name } of rows) await client.query(watch(name));
}

/** What was noted, in the order of the files. @param client of the superuser */
export async function readNotes(client: Client): Promise<FileNote[]> {
  const { rows } = await client.query<{ note: FileNote }>(`SELECT note FROM ${schema}.notes ORDER BY number`);
  return rows.map(({ note }) => note);
}

/** The locks on tables of a role's migrating session at this moment, and the moment. */
export const sampleSql = `
  SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000 AS "atMs",
    (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('relation', r.name, 'mode', l.mode)), '[]')
     FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
       JOIN ${schema}.relations r ON r.oid = l.relation
     WHERE l.locktype = 'relation' AND l.granted AND a.usename = $1 AND a.datname = pg_catalog.current_database()) AS locks`;

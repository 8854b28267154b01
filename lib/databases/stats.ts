import type { Client } from '../postgres/sql.ts';

export interface TableStats {
  table: string;
  /** With indexes and TOAST. */
  totalBytes: number;
  indexBytes: number;
  /** As the statistics have it. */
  rows: number;
  deadRows: number;
  lastVacuumAt: Date | null;
}

export interface DatabaseStats {
  database: string;
  sizeBytes: number;
  tables: number;
  connections: number;
  commits: number;
  rollbacks: number;
  deadlocks: number;
  /** Of the blocks asked for, 0 to 1; null before any was. */
  cacheHitRatio: number | null;
  temporaryBytes: number;
  /** Seconds; null when nothing is open. */
  oldestTransactionSeconds: number | null;
  statsSince: Date | null;
  largest: TableStats[];
}

/** How the database that the client is in is used (pg_stat_database, pg_stat_user_tables). Counters are since `statsSince`. */
export async function databaseStats(client: Client, largest = 10): Promise<DatabaseStats> {
  const { rows } = await client.query<Omit<DatabaseStats, 'largest'>>(
    `select d.datname as database, pg_database_size(d.datname)::float8 as "sizeBytes",
            (select count(*)::int from pg_stat_user_tables) as tables, numbackends as connections,
            xact_commit::float8 as commits, xact_rollback::float8 as rollbacks, deadlocks::float8 as deadlocks,
            (blks_hit::float8 / nullif(blks_hit + blks_read, 0)) as "cacheHitRatio", temp_bytes::float8 as "temporaryBytes",
            (select extract(epoch from max(now() - xact_start))::float8 from pg_stat_activity
              where datname = d.datname and pid <> pg_backend_pid()) as "oldestTransactionSeconds",
            stats_reset as "statsSince"
       from pg_stat_database d where d.datname = current_database()`,
  );
  const tables = await client.query<TableStats>(
    `select format('%I.%I', schemaname, relname) as table, pg_total_relation_size(relid)::float8 as "totalBytes",
            pg_indexes_size(relid)::float8 as "indexBytes", n_live_tup::float8 as rows, n_dead_tup::float8 as "deadRows",
            greatest(last_vacuum, last_autovacuum) as "lastVacuumAt"
       from pg_stat_user_tables where schemaname <> 'pgmanage'
      order by pg_total_relation_size(relid) desc, 1 limit $1`,
    [largest],
  );
  return { ...(rows[0] as Omit<DatabaseStats, 'largest'>), largest: tables.rows };
}

import { asSuperuser } from '../instances/connection.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { withClient } from '../postgres/sql.ts';

/** The counters of one database since they were last reset (pg_stat_database), and what it holds. */
export interface DatabaseSample {
  datname: string;
  numbackends: number;
  commits: number;
  rollbacks: number;
  blocksRead: number;
  blocksHit: number;
  deadlocks: number;
  temporaryBytes: number;
  /** 0 where checksums are off. */
  checksumFailures: number;
  /** Transactions since the oldest one that is not frozen; at 2^31 the server stops taking writes. */
  frozenXidAge: number;
  /** Null where it was not asked for: measuring it reads every file's length. */
  sizeBytes: number | null;
}

/** Client sessions that are alike. */
export interface SessionsSample {
  datname: string;
  state: string;
  count: number;
  /** Of the longest open transaction among them, 0 where none is open. */
  transactionSeconds: number;
}

export interface ArchiverSample {
  archived: number;
  failed: number;
  /** Seconds since 1970; null before the first. */
  lastArchivedAt: number | null;
  lastFailedAt: number | null;
}

/** What a server says of itself at one moment. */
export interface ServerSample {
  /** Seconds since 1970. */
  startedAt: number;
  maxConnections: number;
  /** Those that clients without privileges may have. */
  clientConnections: number;
  sessions: SessionsSample[];
  databases: DatabaseSample[];
  locks: { mode: string; count: number }[];
  /** Sessions that wait for a lock. */
  waiting: number;
  archiver: ArchiverSample;
  /** Settings that wait for a restart. */
  pendingRestart: number;
  /** Replication slots that nobody uses and that keep WAL. */
  idleSlots: number;
}

/** How long a server may think, in milliseconds: then it counts as silent. */
const patienceMs = 2000;

/**
 * Asks everything in one statement, over the socket as the superuser, for whom slots are kept.
 * @throws the driver's error when it does not answer in time
 */
export async function sampleServer(
  places: Places,
  record: InstanceRecord,
  { signal, sizes }: { signal: AbortSignal; sizes: boolean },
): Promise<ServerSample> {
  const address = asSuperuser(instancePaths(places, record.name), record);
  const settings = { statement_timeout: patienceMs };
  const applicationName = 'pg-manage watch';
  return await withClient({ ...address, signal, timeoutMs: patienceMs, settings, applicationName }, async (client) => {
    const { rows } = await client.query<{ sample: ServerSample }>(question, [sizes]);
    return (rows[0] as { sample: ServerSample }).sample;
  });
}

const question = `
  with clients as (
    select coalesce(datname, '') as datname, coalesce(state, 'unknown') as state, count(*) as count,
           coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0) as "transactionSeconds"
      from pg_stat_activity
     where backend_type = 'client backend' and pid <> pg_backend_pid()
     group by 1, 2 order by 1, 2
  ), bases as (
    select s.datname, numbackends, xact_commit as commits, xact_rollback as rollbacks, blks_read as "blocksRead",
           blks_hit as "blocksHit", deadlocks, temp_bytes as "temporaryBytes",
           coalesce(checksum_failures, 0) as "checksumFailures", age(datfrozenxid) as "frozenXidAge",
           case when $1 then pg_database_size(d.oid) end as "sizeBytes"
      from pg_stat_database s join pg_database d on d.oid = s.datid
     where datallowconn order by 1
  ), held as (
    select mode, count(*) as count from pg_locks where granted and pid <> pg_backend_pid() group by 1 order by 1
  ), archiver as (
    select archived_count as archived, failed_count as failed,
           extract(epoch from last_archived_time) as "lastArchivedAt",
           extract(epoch from last_failed_time) as "lastFailedAt"
      from pg_stat_archiver
  )
  select json_build_object(
    'startedAt', extract(epoch from pg_postmaster_start_time()),
    'maxConnections', current_setting('max_connections')::int,
    'clientConnections', current_setting('max_connections')::int
      - (select sum(setting::int) from pg_settings
          where name in ('superuser_reserved_connections', 'reserved_connections')),
    'sessions', (select coalesce(json_agg(clients), '[]') from clients),
    'databases', (select coalesce(json_agg(bases), '[]') from bases),
    'locks', (select coalesce(json_agg(held), '[]') from held),
    'waiting', (select count(distinct pid) from pg_locks where not granted),
    'archiver', (select to_json(archiver) from archiver),
    'pendingRestart', (select count(*) from pg_settings where pending_restart),
    'idleSlots', (select count(*) from pg_replication_slots where not active)
  ) as sample`;

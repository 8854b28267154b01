import type { InstanceName } from '../instances/names.ts';
import { instanceStates } from '../instances/state.ts';
import type { Family, Point } from './exposition.ts';
import type { Sample } from './observe.ts';
import type { SchemaSample, Standing } from './schema-sample.ts';

export interface Schemas {
  samples: ReadonlyMap<InstanceName, SchemaSample>;
  standings: ReadonlyMap<InstanceName, Standing>;
}

type Labels = Record<string, string>;
type Value = number | boolean | null | undefined;
/** What one instance says to one family: a value, or several with labels; nothing where it is not known. */
type Read = (sample: Sample) => Value | [Labels, Value][];

/**
 * Pure: what was seen of the instances as metrics. The names that postgres_exporter has are kept, so that dashboards know
 * them; moments are unix times and never ages. The label is `pg_instance`: `instance` is Prometheus's own.
 */
export function instanceMetrics(samples: readonly Sample[], { samples: schemas, standings }: Schemas): Family[] {
  const family = (type: Family['type'], name: string, help: string, read: Read): Family => {
    return { name, type, help, points: samples.flatMap((sample) => pointsOf(sample, read(sample))) };
  };
  const gauge = (name: string, help: string, read: Read): Family => family('gauge', name, help, read);
  const known = (name: string, help: string, read: Read): Family => family('untyped', name, help, read);
  return [
    gauge(
      'pg_manage_instance_info',
      'What an instance is; always 1.',
      ({ summary, record }) =>
        record && [
          [{ port: String(record.port), version: String(record.version), template: summary.template ?? '' }, 1],
        ],
    ),
    gauge('pg_manage_instance_state', '1 for the state an instance is in, 0 for the others.', ({ summary }) =>
      instanceStates.map((state) => [{ state }, state === summary.state]),
    ),
    gauge(
      'pg_manage_instance_created_timestamp_seconds',
      'When the instance was made.',
      ({ record }) => record && Date.parse(record.createdAt) / 1000,
    ),
    gauge('pg_up', 'Whether the server answers.', ({ server }) => server !== undefined),
    gauge('pg_postmaster_start_time_seconds', 'When the server was started.', ({ server }) => server?.startedAt),
    ...connections(gauge, known),
    ...databases(gauge, known),
    known('pg_locks_count', 'Locks that are held, by their mode.', ({ server }) =>
      server?.locks.map(({ mode, count }) => [{ mode }, count]),
    ),
    gauge('pg_manage_locks_waiting', 'Sessions that wait for a lock.', ({ server }) => server?.waiting),
    gauge(
      'pg_manage_settings_pending_restart',
      'Settings that wait for a restart.',
      ({ server }) => server?.pendingRestart,
    ),
    gauge(
      'pg_manage_settings_by_hand_hash',
      'Changes when a setting is changed past the tool.',
      ({ handHash }) => handHash,
    ),
    gauge(
      'pg_manage_replication_slots_idle',
      'Slots that nobody uses and that keep WAL.',
      ({ server }) => server?.idleSlots,
    ),
    gauge(
      'pg_manage_instance_committed_bytes',
      'Memory the instance takes before any query.',
      ({ record }) => record?.committedBytes,
    ),
    gauge(
      'pg_manage_instance_stress_bytes',
      'Memory it may take at a busy moment.',
      ({ record }) => record?.stressBytes,
    ),
    ...archive(gauge, known),
    ...backups(gauge),
    gauge(
      'pg_manage_indexes_invalid',
      'Indexes of its own database that no query uses.',
      ({ name }) => schemas.get(name)?.invalidIndexes,
    ),
    gauge(
      'pg_manage_migrations_applied',
      'Migrations that its own database has.',
      ({ name }) => schemas.get(name)?.migrations.length,
    ),
    gauge(
      'pg_manage_migrations_behind',
      'Migrations that siblings have and it has not.',
      ({ name }) => standings.get(name)?.behind,
    ),
    gauge(
      'pg_manage_schema_differs',
      'Whether its schema differs from that of siblings with the same migrations.',
      ({ name }) => standings.get(name)?.differs,
    ),
  ];
}

type Make = (name: string, help: string, read: Read) => Family;

function connections(gauge: Make, known: Make): Family[] {
  return [
    gauge('pg_settings_max_connections', 'The setting max_connections.', ({ server }) => server?.maxConnections),
    gauge('pg_manage_client_connections_used', 'Connections that clients have.', ({ server }) =>
      server?.sessions.reduce((sum, { count }) => sum + count, 0),
    ),
    gauge(
      'pg_manage_client_connections_limit',
      'Connections that clients without privileges may have.',
      ({ server }) => server?.clientConnections,
    ),
    known('pg_stat_activity_count', 'Sessions of clients by database and state.', ({ server }) =>
      server?.sessions.map(({ datname, state, count }) => [{ datname, state }, count]),
    ),
    gauge('pg_stat_activity_max_tx_duration', 'Seconds of the longest open transaction.', ({ server }) =>
      server?.sessions.map(({ datname, state, transactionSeconds }) => [{ datname, state }, transactionSeconds]),
    ),
  ];
}

function databases(gauge: Make, known: Make): Family[] {
  type Database = NonNullable<Sample['server']>['databases'][number];
  const each =
    (read: (database: Database) => Value): Read =>
    ({ server }) =>
      server?.databases.map((database) => [{ datname: database.datname }, read(database)]);
  return [
    gauge(
      'pg_stat_database_numbackends',
      'Sessions in a database.',
      each((one) => one.numbackends),
    ),
    known(
      'pg_stat_database_xact_commit',
      'Transactions committed.',
      each((one) => one.commits),
    ),
    known(
      'pg_stat_database_xact_rollback',
      'Transactions rolled back.',
      each((one) => one.rollbacks),
    ),
    known(
      'pg_stat_database_blks_read',
      'Blocks read from the system.',
      each((one) => one.blocksRead),
    ),
    known(
      'pg_stat_database_blks_hit',
      'Blocks found in shared memory.',
      each((one) => one.blocksHit),
    ),
    known(
      'pg_stat_database_deadlocks',
      'Deadlocks.',
      each((one) => one.deadlocks),
    ),
    known(
      'pg_stat_database_temp_bytes',
      'Bytes that queries spilled to disk.',
      each((one) => one.temporaryBytes),
    ),
    known(
      'pg_stat_database_checksum_failures',
      'Pages with a wrong checksum.',
      each((one) => one.checksumFailures),
    ),
    gauge(
      'pg_database_size_bytes',
      'Size of a database.',
      each((one) => one.sizeBytes),
    ),
    gauge(
      'pg_manage_database_frozen_xid_age',
      'Transactions since the oldest unfrozen one; writes stop at 2^31.',
      each((one) => one.frozenXidAge),
    ),
  ];
}

function archive(gauge: Make, known: Make): Family[] {
  const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);
  return [
    known('pg_stat_archiver_archived_count', 'WAL files archived.', ({ server }) => server?.archiver.archived),
    known(
      'pg_stat_archiver_failed_count',
      'Failed attempts to archive a WAL file.',
      ({ server }) => server?.archiver.failed,
    ),
    gauge(
      'pg_manage_archiver_last_archived_timestamp_seconds',
      'When a WAL file was last archived.',
      ({ server }) => server?.archiver.lastArchivedAt,
    ),
    gauge(
      'pg_manage_archiver_last_failed_timestamp_seconds',
      'When archiving a WAL file last failed.',
      ({ server }) => server?.archiver.lastFailedAt,
    ),
    gauge(
      'pg_manage_wal_waiting_segments',
      'WAL files that wait to be archived.',
      ({ waitingWal }) => waitingWal.segments,
    ),
    gauge('pg_manage_wal_waiting_since_timestamp_seconds', 'Since when the oldest of them waits.', ({ waitingWal }) =>
      seconds(waitingWal.oldestMs),
    ),
  ];
}

function backups(gauge: Make): Family[] {
  return [
    gauge(
      'pg_manage_backup_last_timestamp_seconds',
      'When the newest backup was finished.',
      (one) => one.backups.lastAt,
    ),
    gauge('pg_manage_backup_last_size_bytes', 'Size of the newest backup.', (one) => one.backups.lastBytes),
    gauge('pg_manage_backup_previous_size_bytes', 'Size of the one before it.', (one) => one.backups.previousBytes),
    gauge(
      'pg_manage_backup_last_verified_timestamp_seconds',
      'When the newest verified backup was finished.',
      (one) => one.backups.verifiedAt,
    ),
    gauge(
      'pg_manage_restore_test_last_timestamp_seconds',
      'When a backup was last restored as a test.',
      (one) => one.backups.testedAt,
    ),
    gauge(
      'pg_manage_restore_test_last_success',
      'Whether that server answered as it should.',
      (one) => one.backups.testPassed,
    ),
    gauge(
      'pg_manage_restore_seconds',
      'From the first byte unpacked to the first answer, of the newest verified backup.',
      (one) => one.backups.restoreSeconds,
    ),
  ];
}

function pointsOf({ name }: Sample, said: Value | [Labels, Value][]): Point[] {
  const rows = Array.isArray(said) ? said : ([[{}, said]] satisfies [Labels, Value][]);
  return rows.flatMap(([labels, value]) =>
    value === undefined || value === null ? [] : [{ labels: { pg_instance: name, ...labels }, value: Number(value) }],
  );
}

import { join } from 'node:path';
import { writeFileForGood } from '../host/for-good.ts';
import { Raw, shellCommand } from '../instances/configure.ts';
import type { Lsn } from '../postgres/lsn.ts';
import type { Overrides } from '../postgres/server.ts';

/** Nobody listens there: the server is reached over its private socket alone. */
export const privatePort = 5432;

export interface Isolated {
  /** The PostgreSQL that runs the test restore. */
  major: number;
  scratch: string;
  data: string;
  /** The folder of its socket, open to the owner alone (0700). */
  socket: string;
  /** The archive it may read from, and nothing else. */
  archive: string;
  /** What fetches WAL from there. */
  restoreScript: string;
  timeline: number;
  /** Where recovery ends: as soon as the backup is whole, or where the archive does. */
  end: 'stop' | 'tail';
  /** Where recovery ends before that, since it must not replay what is there. */
  before: Lsn | undefined;
}

/**
 * The settings that keep a test restore away from all that the living server has. Given on the command line, they win over
 * every file in the backup, postgresql.auto.conf included.
 */
export function isolation(place: Isolated): Overrides {
  return { ...apart(place), ...recovery(place) };
}

/** The same for a server with nothing to recover. */
export function apart({
  major,
  scratch,
  data,
  socket,
}: Pick<Isolated, 'major' | 'scratch' | 'data' | 'socket'>): Overrides {
  const access = join(scratch, 'pg_hba.conf');
  // Whoever gets to the socket is the owner.
  writeFileForGood(access, 'local all all trust\n');
  return {
    data_directory: data,
    hba_file: access,
    ident_file: access,
    external_pid_file: '',
    listen_addresses: '',
    port: String(privatePort),
    unix_socket_directories: socket,
    unix_socket_group: '',
    bonjour: 'off',
    cluster_name: 'test restore',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_directory: scratch,
    ssl: 'off',
    ...(major < 15 ? { stats_temp_directory: 'pg_stat_tmp' } : {}),
    ...outward(major),
    ...frugal,
  };
}

/** Nothing is archived, streamed, subscribed to or run by itself. */
function outward(major: number): Overrides {
  return {
    archive_mode: 'off',
    archive_command: '',
    ...(major >= 15 ? { archive_library: '' } : {}),
    archive_cleanup_command: '',
    recovery_end_command: '',
    ...(major < 16 ? { promote_trigger_file: '' } : {}),
    primary_conninfo: '',
    primary_slot_name: '',
    // It is written to, in the copy, and no standby of the original confirms that.
    synchronous_standby_names: '',
    max_wal_senders: '0',
    // Subscriptions in the backup would take changes from their publishers, as the living server's slots.
    max_logical_replication_workers: '0',
    // Without room for a worker no library that is preloaded (pg_cron and its like) can run jobs; the libraries themselves
    // stay, as tables and WAL of theirs may need them.
    max_worker_processes: '0',
    session_preload_libraries: '',
    local_preload_libraries: '',
    ...(major >= 17 ? { event_triggers: 'off', summarize_wal: 'off', sync_replication_slots: 'off' } : {}),
  };
}

const targetKinds = ['', '_lsn', '_name', '_time', '_xid'].map((kind) => `recovery_target${kind}`);

/** Promoted when it is there: only a server that takes writes can be given the extension that checks indexes. */
function recovery({ major, restoreScript, archive, timeline, end, before }: Isolated): Overrides {
  const atStop: Overrides = end === 'stop' ? { recovery_target: 'immediate' } : {};
  const target: Overrides = before === undefined ? atStop : { recovery_target_lsn: before };
  return {
    restore_command: shellCommand([restoreScript, Raw.name, Raw.path, archive]),
    // Stale targets first: the server takes even an empty one for a second target when it comes after the first.
    ...Object.fromEntries(targetKinds.filter((kind) => !(kind in target)).map((kind) => [kind, ''])),
    ...target,
    // What is damaged behind the backup's end is nothing to read ahead for.
    ...(major >= 15 && end === 'stop' ? { recovery_prefetch: 'off' } : {}),
    recovery_target_inclusive: 'off',
    recovery_target_action: 'promote',
    recovery_target_timeline: String(timeline),
    // Nobody reads before it is promoted; and with this off the server may have other limits than the one that wrote the WAL.
    hot_standby: 'off',
  };
}

/** A throw-away copy beside a server that works: what is not written need not survive, and memory is the other's. */
const frugal: Overrides = {
  autovacuum: 'off',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_compression: 'off',
  shared_buffers: '64MB',
  max_connections: '20',
  superuser_reserved_connections: '3',
  huge_pages: 'off',
  jit: 'off',
};

/** Settings of each session that asks: what a database or a role has set for its own sessions is not for ours. */
export const askingSettings: Record<string, string | number> = {
  statement_timeout: 0,
  lock_timeout: 0,
  idle_in_transaction_session_timeout: 0,
  default_transaction_read_only: 'off',
  session_preload_libraries: '',
  maintenance_work_mem: '64MB',
  temp_file_limit: -1,
};

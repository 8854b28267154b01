import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { monotonicMs } from '../host/clock.ts';
import { ensureFolder, makeFolder, removeFolder } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { endProcessesOn } from '../host/processes.ts';
import { poll } from '../host/wait.ts';
import { Raw, shellCommand } from '../instances/configure.ts';
import { serverIdentity } from '../instances/connection.ts';
import { socketFolder } from '../instances/places.ts';
import type { Operation } from '../operation.ts';
import { verifyUnpacked } from '../postgres/basebackup.ts';
import { superuser } from '../postgres/initdb.ts';
import type { Installation } from '../postgres/installations.ts';
import { compareLsn, type Lsn, parseLsn } from '../postgres/lsn.ts';
import { type Overrides, startServer, stopServer, waitUntilReady } from '../postgres/server.ts';
import { type Client, withClient } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { type Backup, backupFolder } from './catalogue.ts';
import { archiveOfBackup } from './repository.ts';
import { installRestoreScript } from './restore-script.ts';
import { patienceMs, walBytes } from '../postgres/startup.ts';
import { unpackBackup } from './unpack.ts';

export interface RestoredServer {
  restoreSeconds: number;
  recoveredToLsn: Lsn;
  /** Asks the restored server; each database by its own connection. */
  ask<T>(database: string, question: (client: Client) => Promise<T>): Promise<T>;
  systemIdentifier: string;
}

/** Nobody listens there: the server is reached over its private socket alone. */
const privatePort = 5432;

/**
 * Starts a server from a backup beside the living one, recovers it to the backup's stop point, lends it to `examine`, and
 * removes it. It can reach nothing of the living server: not its archive, port, socket, log, tablespaces or subscribers.
 * @throws what shows that the backup cannot be restored
 */
export async function testRestore<T>(
  operation: Operation,
  installation: Installation,
  backup: Backup,
  scratch: string,
  examine: (server: RestoredServer) => Promise<T>,
): Promise<T> {
  const { places, task, journal } = operation;
  const name = backup.instance.name;
  const data = join(scratch, 'data');
  const socket = socketFolder(places, join(scratch, 'run'));
  journal.intend({ kind: 'folder', path: scratch });
  if (socket !== join(scratch, 'run')) journal.intend({ kind: 'folder', path: socket });
  ensureFolder(places.scratch);
  makeFolder(scratch);
  ensureFolder(socket);
  try {
    const begunMs = monotonicMs();
    const folder = backupFolder(places, name, backup.id);
    const tablespaces = join(scratch, 'tablespaces');
    await unpackBackup({ backupFolder: folder, backup, dataDirectory: data, tablespaces }, task);
    const unpackedMs = monotonicMs();
    await task.step('check every file', async () => await verifyUnpacked(installation, data, task));
    const checkedMs = monotonicMs();
    const overrides = isolation(operation, installation, backup, { scratch, data, socket });
    const server = await task.step('start from backup', async (step) => {
      const started = await startServer(
        installation,
        { dataDirectory: data, outputFile: join(scratch, 'server.log') },
        overrides,
      );
      const options = {
        timeoutMs: Infinity,
        stillMs: patienceMs('', walBytes(data)),
        progress: step.progress,
        words: started.output,
      };
      const { pid } = await waitUntilReady(started, task, options);
      const answer = await reachStop(task, socket, backup);
      step.result(`recovered to ${answer.recoveredToLsn}`);
      return { pid, ...answer };
    });
    const restoreSeconds = (monotonicMs() - begunMs - (checkedMs - unpackedMs)) / 1000;
    const result = await examine({
      ...server,
      restoreSeconds,
      ask: async (database, question) => await withClient(at(task, socket, database), question),
    });
    await stopServer(server.pid, 'immediate', 30_000, task.signal);
    return result;
  } finally {
    for (const folder of new Set([scratch, socket])) {
      await endProcessesOn(folder);
      await removeFolder(folder);
    }
  }
}

function at({ signal }: Task, socket: string, database: string) {
  return { host: socket, port: privatePort, user: superuser, database, signal, timeoutMs: 600_000 };
}

/** @throws RESTORE_TARGET when the server stops short of the position where the backup is whole */
async function reachStop(
  task: Task,
  socket: string,
  backup: Backup,
): Promise<{ recoveredToLsn: Lsn; systemIdentifier: string }> {
  return await withClient(at(task, socket, 'postgres'), async (client) => {
    const lsn = await poll(
      async () => {
        const { rows } = await client.query<{ lsn: string | null }>('select pg_last_wal_replay_lsn()::text as lsn');
        const reached = rows[0]?.lsn ? parseLsn(rows[0].lsn) : undefined;
        return reached !== undefined && compareLsn(reached, backup.stopLsn) >= 0 ? reached : undefined;
      },
      { signal: task.signal, timeoutMs: 60_000 },
    );
    if (lsn === undefined) {
      throw new AppError(
        'RESTORE_TARGET',
        `the restored server did not reach ${backup.stopLsn}, where the backup is whole`,
      );
    }
    return { recoveredToLsn: lsn, systemIdentifier: await serverIdentity(client) };
  });
}

/** Given on the command line, which wins over every file in the backup, postgresql.auto.conf included. */
function isolation(
  { places }: Operation,
  { major }: Installation,
  backup: Backup,
  { scratch, data, socket }: { scratch: string; data: string; socket: string },
): Overrides {
  const access = join(scratch, 'pg_hba.conf');
  // The socket's folder is the owner's alone (0700): whoever gets there is the owner.
  writeFileForGood(access, 'local all all trust\n');
  const restoreScript = installRestoreScript(join(scratch, 'restore-wal'));
  const archive = archiveOfBackup(places, backup.instance.name, backup.instance.id);
  return {
    data_directory: data,
    hba_file: access,
    ident_file: access,
    external_pid_file: '',
    listen_addresses: '',
    port: String(privatePort),
    unix_socket_directories: socket,
    cluster_name: 'test restore',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_directory: scratch,
    ssl: 'off',
    archive_mode: 'off',
    archive_command: '',
    ...(major >= 15 ? { archive_library: '' } : {}),
    archive_cleanup_command: '',
    recovery_end_command: '',
    primary_conninfo: '',
    primary_slot_name: '',
    restore_command: shellCommand([restoreScript, Raw.name, Raw.path, archive]),
    // Stale targets first: the server takes even an empty one for a second target when it comes after the first.
    ...Object.fromEntries(['lsn', 'name', 'time', 'xid'].map((kind) => [`recovery_target_${kind}`, ''])),
    recovery_target: 'immediate',
    recovery_target_action: 'pause',
    recovery_target_timeline: String(backup.timeline),
    hot_standby: 'on',
    // Subscriptions in the backup would take changes from their publishers, as the living server's slots.
    max_logical_replication_workers: '0',
    autovacuum: 'off',
    // A throw-away copy: what is not written here need not survive.
    fsync: 'off',
    shared_buffers: '64MB',
    huge_pages: 'off',
    jit: 'off',
  };
}

/** True when a failure says nothing about the backup: there was no room to try. */
export function isForWantOfRoom(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  return (
    error.code === 'DISK_SPACE' || (error.code === 'START_FAILED' && /No space left on device/.test(error.output ?? ''))
  );
}

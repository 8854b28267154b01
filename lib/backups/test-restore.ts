import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { monotonicMs } from '../host/clock.ts';
import { listFolder } from '../host/files.ts';
import { ensureFolder, link, makeFolder, removeFolder } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { endProcessesOn } from '../host/processes.ts';
import { serverIdentity } from '../instances/connection.ts';
import { socketFolder } from '../instances/places.ts';
import type { Operation } from '../operation.ts';
import { verifyUnpacked } from '../postgres/manifest.ts';
import { superuser } from '../postgres/initdb.ts';
import type { Installation } from '../postgres/installations.ts';
import { compareLsn, type Lsn, parseLsn } from '../postgres/lsn.ts';
import { type Overrides, startServer, stopServer, waitUntilReady } from '../postgres/server.ts';
import { type Client, withClient } from '../postgres/sql.ts';
import { patienceMs, walBytes } from '../postgres/startup.ts';
import type { WalReach } from '../postgres/wal-reader.ts';
import { tablespacesMade } from '../postgres/waldump.ts';
import type { TablespaceMade } from '../postgres/wal-records.ts';
import type { Task } from '../task.ts';
import { type Backup, backupFolder, type Check } from './catalogue.ts';
import { askingSettings, isolation, privatePort } from './isolation.ts';
import { archiveOfBackup } from './repository.ts';
import { installRestoreScript } from './restore-script.ts';
import { scratchFolder } from './scratch.ts';
import { copyTail } from './tail.ts';
import { unpackBackup } from './unpack.ts';
import { type PackedWal, unpackedWal } from './unpacked-wal.ts';
import type { WalWanted } from './wal-wanted.ts';

export interface RestoredServer {
  recoveredToLsn: Lsn;
  systemIdentifier: string;
  /** What it could read of the archive, for programs to read. */
  archivedWal(reach: Omit<WalReach, 'folder'>): AsyncGenerator<WalReach>;
  /** What it was not to replay, where it therefore ended. */
  heldBy: TablespaceMade | undefined;
  /** Asks the restored server; each database by its own connection. */
  ask<T>(database: string, question: (client: Client) => Promise<T>): Promise<T>;
}

/** What is asked of a test restore. Each gives what it found. */
export interface Examination {
  /** How far the archive is to be replayed. */
  wal: WalWanted;
  /** Settled before a server is started: false keeps it from being started. */
  sound: Promise<boolean>;
  running(server: RestoredServer): Promise<Check[]>;
  stopped(dataDirectory: string): Promise<Check[]>;
}

export interface TestRestored {
  checks: Check[];
  /** From the first byte unpacked to the first query answered. */
  restoreSeconds?: number;
  recoveredToLsn?: Lsn;
}

/**
 * Starts a server from a backup beside the living one, recovers it, has it examined running and stopped, and removes it. It
 * can reach nothing of the living server: not its archive, port, socket, log, tablespaces or subscribers.
 * @throws what shows that the backup cannot be restored
 */
export async function testRestore(
  operation: Operation,
  installation: Installation,
  backup: Backup,
  examination: Examination,
): Promise<TestRestored> {
  const { places, task, journal } = operation;
  const scratch = scratchFolder(operation, backup.id);
  const data = join(scratch, 'data');
  const socket = socketFolder(places, join(scratch, 'run'));
  const archive = join(scratch, 'wal');
  const { wal } = examination;
  const packed = {
    archive,
    segmentBytes: backup.segmentBytes,
    restoreScript: join(scratch, 'restore-wal'),
    folder: join(scratch, 'unpacked'),
  };
  journal.intend({ kind: 'folder', path: scratch });
  if (socket !== join(scratch, 'run')) journal.intend({ kind: 'folder', path: socket });
  ensureFolder(places.scratch);
  makeFolder(scratch);
  ensureFolder(socket);
  try {
    const begunMs = monotonicMs();
    installRestoreScript(packed.restoreScript);
    linkArchive(archiveOfBackup(places, backup.instance.name, backup.instance.id), archive);
    // Before anything else, as it grows.
    for (const name of copyTail(wal.tail ?? [], archive, { ...backup, ...backup.instance })) {
      task.warn(`what was received as ${name} is not WAL of this instance, and is left out`);
    }
    await unpack(operation, backup, scratch, data);
    const unpackedMs = monotonicMs();
    await task.step('check every file', async () => await verifyUnpacked(installation, data, task));
    const { check: kept, beyond } = await findTablespaces(installation, { backup, data, packed, wal }, task);
    if (!kept.ok || !(await examination.sound)) return { checks: [kept] };
    const checkedMs = monotonicMs();
    writeFileForGood(join(data, 'recovery.signal'), '');
    const overrides = isolation({
      major: installation.major,
      scratch,
      data,
      socket,
      archive,
      restoreScript: packed.restoreScript,
      timeline: wal.timeline,
      end: wal.end,
      before: beyond?.lsn,
    });
    const server = await start(operation, installation, { backup, scratch, data, socket, overrides });
    const restoreSeconds = (monotonicMs() - begunMs - (checkedMs - unpackedMs)) / 1000;
    const ask: RestoredServer['ask'] = async (database, question) =>
      await withClient(at(task, socket, database), question);
    const archivedWal: RestoredServer['archivedWal'] = (reach) => unpackedWal(packed, reach, task);
    const running = await examination.running({ ...server, archivedWal, heldBy: beyond, ask });
    await stopServer(server.pid, 'fast', 600_000, task.signal);
    const stopped = await examination.stopped(data);
    return { restoreSeconds, recoveredToLsn: server.recoveredToLsn, checks: [kept, ...running, ...stopped] };
  } finally {
    for (const folder of new Set([scratch, socket])) {
      await endProcessesOn(folder);
      await removeFolder(folder);
    }
  }
}

async function unpack({ places, task }: Operation, backup: Backup, scratch: string, data: string): Promise<void> {
  const folder = backupFolder(places, backup.instance.name, backup.id);
  await unpackBackup(
    { backupFolder: folder, backup, dataDirectory: data, tablespaces: join(scratch, 'tablespaces') },
    task,
  );
}

/** What is archived from here on is neither looked at nor replayed: the recovery reads what the checks have read. */
function linkArchive(archive: string, links: string): void {
  makeFolder(links);
  for (const name of listFolder(archive)) {
    if (!name.startsWith('.')) link(join(archive, name), join(links, name));
  }
}

/**
 * WAL names a tablespace by its own path, where the living server has it: replaying the making of one would put the copy's
 * files there (PostgreSQL's documentation, "Caveats" of continuous archiving). In the backup's own WAL, that forbids to start
 * a server at all; after it, recovery ends before.
 */
async function findTablespaces(
  installation: Installation,
  { backup, data, packed, wal }: { backup: Backup; data: string; packed: PackedWal; wal: WalWanted },
  task: Task,
): Promise<{ check: Check; beyond: TablespaceMade | undefined }> {
  const own = { folder: join(data, 'pg_wal'), timeline: backup.timeline, from: backup.startLsn, to: backup.stopLsn };
  const [within] = await tablespacesMade(installation, own, task);
  const beyond: TablespaceMade[] = [];
  for (const span of within === undefined ? wal.spans : []) {
    for await (const reach of unpackedWal(packed, span, task)) {
      beyond.push(...(await tablespacesMade(installation, reach, task)));
    }
  }
  const detail =
    within === undefined
      ? 'its WAL makes no tablespace'
      : `its WAL makes a tablespace in ${within.folder} (at ${within.lsn}), which a copy on this host must not touch: take a new backup`;
  return { check: { name: 'tablespaces', ok: within === undefined, detail }, beyond: beyond[0] };
}

interface Starting {
  backup: Backup;
  scratch: string;
  data: string;
  socket: string;
  overrides: Overrides;
}

async function start(
  { task }: Operation,
  installation: Installation,
  { backup, scratch, data, socket, overrides }: Starting,
): Promise<{ pid: number; recoveredToLsn: Lsn; systemIdentifier: string }> {
  return await task.step('start from backup', async (step) => {
    const files = { dataDirectory: data, outputFile: join(scratch, 'server.log') };
    const started = await startServer(installation, files, overrides);
    const options = {
      timeoutMs: Infinity,
      stillMs: patienceMs('', walBytes(data)),
      progress: step.progress,
      words: started.output,
    };
    const { pid } = await waitUntilReady(started, task, options);
    const answer = await withClient(at(task, socket, 'postgres'), whereItIs);
    assertStopReached(answer.recoveredToLsn, backup);
    step.result(`recovered to ${answer.recoveredToLsn}`);
    return { pid, ...answer };
  });
}

function at({ signal }: Task, socket: string, database: string) {
  const limitMs = 24 * 60 * 60 * 1000; // the largest index may take hours
  return {
    host: socket,
    port: privatePort,
    user: superuser,
    database,
    signal,
    timeoutMs: limitMs,
    settings: askingSettings,
  };
}

async function whereItIs(client: Client): Promise<{ recoveredToLsn: Lsn; systemIdentifier: string }> {
  const { rows } = await client.query<{ lsn: string }>('select pg_last_wal_replay_lsn()::text as lsn');
  return { recoveredToLsn: parseLsn(rows[0]?.lsn ?? ''), systemIdentifier: await serverIdentity(client) };
}

/** @throws RESTORE_TARGET when the server stops short of the position where the backup is whole */
function assertStopReached(reached: Lsn, { stopLsn }: Backup): void {
  if (compareLsn(reached, stopLsn) >= 0) return;
  throw new AppError('RESTORE_TARGET', `the restored server ended at ${reached}, before ${stopLsn}, where it is whole`);
}

/** True when a failure says nothing about the backup: there was no room to try. */
export function isForWantOfRoom(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  return (
    error.code === 'DISK_SPACE' || (error.code === 'START_FAILED' && /No space left on device/.test(error.output ?? ''))
  );
}

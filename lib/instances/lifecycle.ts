import { AppError } from '../errors.ts';
import { isBindable, type Port } from '../host/ports.ts';
import { poll } from '../host/wait.ts';
import { describeListener, moveHint, portInUse } from '../ports/leases.ts';
import type { Installation } from '../postgres/installations.ts';
import { livePostmaster, type PostmasterFile } from '../postgres/postmaster.ts';
import { startServer, type StopMode, stopServer, waitUntilReady } from '../postgres/server.ts';
import { sqlState } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { writeOwnConfiguration } from './configure.ts';
import { asRole, asSuperuser, assertIdentity, isRefusedLogin } from './connection.ts';
import { markLogs, wordsSince } from './logs.ts';
import type { InstancePaths } from './places.ts';
import type { InstanceRecord } from './record.ts';
import { observe } from './state.ts';

export interface StartOptions {
  archiveFolder: string;
  timeoutMs: number;
}

/**
 * Starts an instance and waits until it is proven to answer: its process lives, its status line says ready, and a query on
 * its own database comes back with its own system identifier. Already running is success.
 * @throws PORT_IN_USE, START_FAILED, STILL_STARTING (the server is left alone), WRONG_SERVER
 */
export async function startInstance(
  task: Task,
  installation: Installation,
  paths: InstancePaths,
  record: InstanceRecord,
  options: StartOptions,
): Promise<void> {
  await launch(task, installation, paths, record, options);
  await proveAnswering(task, paths, record, options.timeoutMs);
}

/** As `startInstance`, without asking for the instance's own database: that may not be there yet. */
export async function launch(
  task: Task,
  installation: Installation,
  paths: InstancePaths,
  record: Pick<InstanceRecord, 'name' | 'port'>,
  { archiveFolder, timeoutMs }: StartOptions,
): Promise<void> {
  if (livePostmaster(paths.data) !== undefined) return await awaitRunning(task, paths, timeoutMs);
  await assertPortFree(record.port);
  writeOwnConfiguration(paths, { name: record.name, port: record.port, archiveFolder });
  await task.step('start', async (step) => {
    const mark = markLogs(paths);
    const server = await startServer(installation, { dataDirectory: paths.data, outputFile: paths.output });
    const words = (): string => wordsSince(paths, mark);
    await waitUntilReady(server, task, { timeoutMs, progress: step.progress, words });
  });
}

async function assertPortFree(port: Port): Promise<void> {
  if (await isBindable(port)) return;
  throw portInUse(port, describeListener(port), moveHint);
}

/** Waits for a server that somebody else has started. */
async function awaitRunning(task: Task, paths: InstancePaths, timeoutMs: number): Promise<void> {
  const probe = (): PostmasterFile | undefined => {
    const file = livePostmaster(paths.data);
    if (file === undefined) throw new AppError('START_FAILED', 'the server that was starting has ended');
    return file.status === 'ready' ? file : undefined;
  };
  const ready = await poll(probe, { signal: task.signal, timeoutMs });
  if (ready === undefined) throw new AppError('STILL_STARTING', 'the server is not ready yet');
}

/** @throws WRONG_SERVER, or the server's own refusal */
async function proveAnswering(
  task: Task,
  paths: InstancePaths,
  record: InstanceRecord,
  timeoutMs: number,
): Promise<void> {
  const limits = { signal: task.signal, timeoutMs: Math.min(timeoutMs, 10_000) };
  await assertIdentity({ ...asSuperuser(paths, record, record.database), ...limits }, record);
  try {
    await assertIdentity({ ...asRole(paths, record), ...limits }, record);
  } catch (error) {
    if (!isRefusedLogin(error) && sqlState(error) !== '53300') throw error;
    const why = sqlState(error) === '53300' ? 'all its connections are taken' : 'the stored password is refused';
    task.warn(`${record.name} runs, but role ${record.role} cannot log in: ${why}`);
  }
}

/**
 * Stops an instance and proves that its process is gone. Already stopped is success.
 * @returns whether it ran
 * @throws STOP_TIMEOUT
 */
export async function stopInstance(
  task: Task,
  paths: InstancePaths,
  record: InstanceRecord,
  { mode, timeoutMs }: { mode: StopMode; timeoutMs: number },
): Promise<boolean> {
  const { postmaster } = observe(paths, record);
  const running = postmaster ?? livePostmaster(paths.data);
  if (running === undefined) return false;
  await task.step('stop', async () => await stopServer(running.pid, mode, timeoutMs, task.signal));
  return true;
}

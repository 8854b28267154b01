import { AppError, isSilence } from '../errors.ts';
import { monotonicMs } from '../host/clock.ts';
import { isBindable, type Port } from '../host/ports.ts';
import { poll } from '../host/wait.ts';
import { describeListener, moveHint, portInUse } from '../ports/leases.ts';
import { diagnose } from '../postgres/diagnosis.ts';
import type { Installation } from '../postgres/installations.ts';
import { livePostmaster, type PostmasterFile } from '../postgres/postmaster.ts';
import { startFailed, startServer, stillStarting, waitUntilReady } from '../postgres/server.ts';
import { patienceMs, startupProgress, Stillness, walBytes } from '../postgres/startup.ts';
import { refusalWords, sqlState } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { explainingAccess } from './access.ts';
import { writeOwnConfiguration } from './configure.ts';
import { asRole, asSuperuser, assertIdentity, isRefusedLogin } from './connection.ts';
import { lastLogLines, markLogs, wordsSince } from './logs.ts';
import type { InstancePaths } from './places.ts';
import { knowsPassword } from './passwords.ts';
import { assertOwnPort, assertStartable, dataInUse, explainStart } from './preflight.ts';
import type { InstanceRecord } from './record.ts';

export interface StartOptions {
  archiveFolder: string;
  timeoutMs: number;
}

/**
 * Starts an instance and waits until it is proven to answer: its process lives, its status line says ready, and a query on
 * its own database comes back with its own system identifier. Already running is success.
 * @throws PORT_IN_USE, BAD_CONFIGURATION, STILL_STARTING (the server is left alone), WRONG_SERVER, the code of a known cause, else START_FAILED
 */
export async function startInstance(
  task: Task,
  installation: Installation,
  paths: InstancePaths,
  record: InstanceRecord,
  options: StartOptions,
): Promise<void> {
  const launched = await launch(task, installation, paths, record, options);
  try {
    await proveAnswering(task, paths, record, options.timeoutMs);
  } catch (error) {
    // A recovery that ends short of its target lets readers in for a moment before it fails.
    task.signal.throwIfAborted();
    const ended = await launched?.endedSince();
    if (ended !== undefined || !isSilence(error)) throw ended ?? error;
    const words = (): string => lastLogLines(paths, 15).join('\n');
    throw stillStarting(livePostmaster(paths.data)?.pid ?? 0, 'it has said so, but does not answer', { words });
  }
}

/** What is to be known of an instance that is being made, too. */
type About = Pick<InstanceRecord, 'name' | 'port'> & Partial<Pick<InstanceRecord, 'template'>>;
type Launchable = About & Pick<InstanceRecord, 'id' | 'systemIdentifier'> & Partial<Pick<InstanceRecord, 'adopted'>>;

/** A server that has said it is ready. */
export interface Launched {
  /** Why it has ended after all, or undefined while it lives. */
  endedSince(): Promise<AppError | undefined>;
}

/** As `startInstance`, without asking for the instance's own database: that may not be there yet. */
export async function launch(
  task: Task,
  installation: Installation,
  paths: InstancePaths,
  record: Launchable,
  { archiveFolder, timeoutMs }: StartOptions,
): Promise<Launched | undefined> {
  const { name } = record;
  const running = explainingAccess(name, paths, () => livePostmaster(paths.data));
  if (running !== undefined) {
    // Ours listens where the record says; a file that is still being written says nothing yet.
    if (running.port !== 0 && running.port !== record.port) throw dataInUse(record, running.pid, running.port);
    if (running.status !== 'ready') await awaitRunning(task, paths, record, timeoutMs);
    return undefined;
  }
  await assertStartable(task, installation, paths, record);
  await assertPortFree(record.port);
  explainingAccess(name, paths, () => {
    writeOwnConfiguration(paths, { ...record, name, archiveFolder });
    assertOwnPort(paths, record);
  });
  return await task.step('start', async (step) => {
    const mark = markLogs(paths);
    const server = await startServer(installation, { dataDirectory: paths.data, outputFile: paths.output });
    const telling = {
      words: () => wordsSince(paths, mark),
      explain: (said: string) => explainStart(paths, record, said),
      unknownHint: `see the whole log with: ./manage.ts logs ${name}`,
    };
    await waitUntilReady(server, task, {
      timeoutMs,
      stillMs: stillLimitMs(paths, record),
      progress: step.progress,
      ...telling,
    });
    const ended = (): true | undefined => (server.daemon.ended() === undefined ? undefined : true);
    return {
      async endedSince() {
        const gone =
          livePostmaster(paths.data)?.status !== 'ready' &&
          (await poll(ended, { signal: task.signal, timeoutMs: 2000 }));
        return gone ? await startFailed(server, task, telling) : undefined;
      },
    };
  });
}

async function assertPortFree(port: Port): Promise<void> {
  if (await isBindable(port)) return;
  throw portInUse(port, describeListener(port), moveHint);
}

/** Waits for a server that somebody else has started. */
async function awaitRunning(task: Task, paths: InstancePaths, about: About, timeoutMs: number): Promise<void> {
  const stillness = new Stillness();
  const stillMs = stillLimitMs(paths, about);
  const words = (): string => lastLogLines(paths, 15).join('\n');
  await task.step('wait for the server', async (step) => {
    let phase = 'starting';
    const probe = (): PostmasterFile | undefined => {
      const file = livePostmaster(paths.data);
      if (file === undefined) {
        throw new AppError('START_FAILED', 'the server that was starting has ended', {
          hint: `start it again and see why: ./manage.ts start ${about.name}`,
          output: words(),
        });
      }
      if (file.status === 'ready') return file;
      step.progress((phase = startupProgress(file.pid, paths.data, words())));
      const stillForMs = stillness.stillForMs(phase, monotonicMs());
      if (stillForMs > stillMs) throw stillStarting(file.pid, phase, { words }, stillForMs);
      return undefined;
    };
    const ready = await poll(probe, { signal: task.signal, timeoutMs });
    if (ready === undefined) throw stillStarting(livePostmaster(paths.data)?.pid ?? 0, phase, { words });
  });
}

/** By what the instance is for, and by the WAL there is to replay. */
function stillLimitMs({ data }: InstancePaths, { template }: About): number {
  return patienceMs(template ?? '', walBytes(data));
}

/** @throws WRONG_SERVER, or the server's own refusal */
async function proveAnswering(
  task: Task,
  paths: InstancePaths,
  record: InstanceRecord,
  timeoutMs: number,
): Promise<void> {
  const limits = { signal: task.signal, timeoutMs: Math.min(timeoutMs, 10_000) };
  try {
    await assertIdentity({ ...asSuperuser(paths, record, record.database), ...limits }, record);
  } catch (error) {
    throw explainRefusal(paths, record, error) ?? error;
  }
  if (!knowsPassword(paths)) return;
  try {
    await assertIdentity({ ...asRole(paths, record), ...limits }, record);
  } catch (error) {
    if (!isRefusedLogin(error) && sqlState(error) !== '53300') throw error;
    const why = sqlState(error) === '53300' ? 'all its connections are taken' : 'the stored password is refused';
    task.warn(`${record.name} runs, but role ${record.role} cannot log in: ${why}`);
  }
}

/** The cause, where it is known, that a server which runs lets nobody into its database. */
function explainRefusal(paths: InstancePaths, { name }: About, error: unknown): AppError | undefined {
  const words = refusalWords(error);
  const known = words === undefined ? undefined : diagnose(words, { name, dataDirectory: paths.data });
  if (known === undefined) return undefined;
  const message = `the server runs, but its database cannot be used: ${known.cause}`;
  return new AppError(known.code, message, { hint: known.hint, cause: error, ...(words ? { output: words } : {}) });
}

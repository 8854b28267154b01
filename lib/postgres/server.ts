import { AppError } from '../errors.ts';
import { monotonicMs } from '../host/clock.ts';
import { fileSize, readTextFrom } from '../host/files.ts';
import { pidExists, sendSignal, waitForEnd } from '../host/processes.ts';
import { type Daemon, startDaemon } from '../host/programs.ts';
import { poll } from '../host/wait.ts';
import type { Task } from '../task.ts';
import { type Installation, program } from './installations.ts';
import { diagnose, type Diagnosis } from './diagnosis.ts';
import { startupProgress, Stillness } from './startup.ts';
import { livePostmaster, type PostmasterFile } from './postmaster.ts';

export interface ServerFiles {
  dataDirectory: string;
  /** Where the server's words go until (or unless) it writes a log of its own. */
  outputFile: string;
}

/** A server that we have just started; what it says from here on can be read back. */
export interface StartedServer {
  files: ServerFiles;
  daemon: Daemon;
  /** The words of the server since this start. */
  output(): string;
}

/** Settings for one start, given on the command line: they win over every file. */
export type Overrides = Record<string, string>;

/** Starts a postmaster, and returns at once; `waitUntilReady` says when it answers. */
export async function startServer(
  installation: Installation,
  files: ServerFiles,
  overrides: Overrides = {},
): Promise<StartedServer> {
  const saidBefore = fileSize(files.outputFile) ?? 0;
  const settings = Object.entries(overrides).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const args = ['-D', files.dataDirectory, ...settings];
  const daemon = await startDaemon(program(installation, 'postgres'), args, files.outputFile);
  return { files, daemon, output: () => readTextFrom(files.outputFile, saidBefore) };
}

export interface ReadyOptions {
  timeoutMs: number;
  /** How long it may stand still before waiting for it ends; see `patienceMs`. */
  stillMs: number;
  /** Told what the server is doing, again and again. */
  progress: (detail: string) => void;
  /** The log the server writes, since this start; to say what it does and why it failed. */
  words: () => string;
  /** The cause that these words tell, for a server that ended; without it, what is known of any server. */
  explain?: (words: string) => Diagnosis | undefined;
  /** What to type where no cause is known. */
  unknownHint?: string;
}

/**
 * Waits until the server takes connections: its process lives, and its own status line says so. Whether it is the right
 * server and answers queries is the caller's to ask.
 * @throws START_FAILED, or the code of the cause that is known, as soon as the process is gone; STILL_STARTING when time is up, the server being left alone
 */
export async function waitUntilReady(
  server: StartedServer,
  task: Task,
  options: ReadyOptions,
): Promise<PostmasterFile> {
  const { dataDirectory } = server.files;
  const stillness = new Stillness();
  const phase = (): string => startupProgress(server.daemon.pid, dataDirectory, options.words());
  const probe = async (): Promise<PostmasterFile | undefined> => {
    if (server.daemon.ended() !== undefined) throw await startFailed(server, task, options);
    const file = livePostmaster(dataDirectory);
    // `standby` is the word for a recovery that lets nobody in; a hot standby says `ready` when it does.
    if (file?.pid === server.daemon.pid && file.status === 'ready') return file;
    options.progress(phase());
    const stillForMs = stillness.stillForMs(`${phase()} ${options.words().length}`, monotonicMs());
    if (stillForMs > options.stillMs) throw stillStarting(server.daemon.pid, phase(), options, stillForMs);
    return undefined;
  };
  const ready = await poll(probe, { signal: task.signal, timeoutMs: options.timeoutMs, maxMs: 150 });
  if (ready !== undefined) return ready;
  throw stillStarting(server.daemon.pid, phase(), options);
}

/** Waiting has ended, the server has not. */
export function stillStarting(
  pid: number,
  phase: string,
  { words }: Pick<ReadyOptions, 'words'>,
  stillForMs?: number,
): AppError {
  const still = stillForMs === undefined ? '' : `, and has not got on for ${Math.round(stillForMs / 1000)} s`;
  return new AppError('STILL_STARTING', `the server (process ${pid}) is not ready yet: ${phase}${still}`, {
    hint: 'it was left alone; look again with --action status, or wait on with --action start',
    output: lastLines(words()),
  });
}

/** The server's own words, and what they mean where that is known. */
export async function startFailed(
  server: StartedServer,
  task: Task,
  options: Pick<ReadyOptions, 'words' | 'explain' | 'unknownHint'>,
): Promise<AppError> {
  const words = await lastWords(options.words, task.signal);
  const output = lastLines(words);
  const known = (options.explain ?? diagnose)(words);
  if (known !== undefined) {
    return new AppError(known.code, `the server did not start: ${known.cause}`, { hint: known.hint, output });
  }
  const how = server.daemon.ended() ?? 'it is gone';
  const fatal = /(?:FATAL|PANIC):\s+(.*)/.exec(words)?.[1];
  const hint = options.unknownHint;
  return new AppError(
    'START_FAILED',
    `the server did not start (${how}), for a cause that is not known${fatal ? `: ${fatal}` : ''}`,
    { ...(hint === undefined ? {} : { hint }), output },
  );
}

/** What a server said to its end: its logging process writes the last of it when the server itself is gone already. */
async function lastWords(words: () => string, signal: AbortSignal): Promise<string> {
  const whole = (): string | undefined => {
    const said = words();
    return /(?:FATAL|PANIC):|^postgres: /m.test(said) ? said : undefined;
  };
  return (await poll(whole, { signal, timeoutMs: 300, minMs: 10 })) ?? words();
}

/** The end of a log, as much as helps on a screen. */
export function lastLines(text: string, count = 15): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** How a server is asked to stop (PostgreSQL's pg_ctl: smart, fast, immediate). */
export const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;
export type StopMode = keyof typeof stopSignals;

/**
 * Asks a server to stop and waits until its process is gone.
 * @throws STOP_TIMEOUT when it still lives after `timeoutMs`; nothing is killed then
 */
export async function stopServer(pid: number, mode: StopMode, timeoutMs: number, signal: AbortSignal): Promise<void> {
  sendSignal(pid, stopSignals[mode]);
  if (await waitForEnd(pid, timeoutMs, signal)) return;
  if (!pidExists(pid)) return;
  throw new AppError('STOP_TIMEOUT', `the server (process ${pid}) has not stopped after ${timeoutMs / 1000} s`, {
    hint: 'sessions may hold it up: wait longer with --timeout SECONDS, or look with --action status',
  });
}

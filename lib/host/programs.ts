import { spawn } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import type { ResultPromise } from 'execa';
import { AppError, isAbort } from '../errors.ts';
import { asCaller, calledByRoot, dataOwner, hasFurtherGroups } from './users.ts';

export interface RunOptions {
  signal: AbortSignal;
  /** The limit after which the program is ended, in milliseconds. */
  timeoutMs: number;
  env?: Record<string, string>;
  input?: string;
  cwd?: string;
  /** Called with each line the program writes to stderr (pg_basebackup's progress ends lines with \r). */
  onErrorLine?: (line: string) => void;
  /** Called with what the program writes to stdout, which is not kept then. */
  onOutput?: (chunk: Buffer) => void;
  /** Exit statuses besides 0 that are an answer, not a failure. */
  alsoEndsWith?: readonly number[];
  /** Run with the caller's own identity, for programs that steer the system. */
  asCaller?: boolean;
}

export interface RunResult {
  stdout: string;
  stderr: string;
}

/**
 * The environment that programs get: nothing of the caller's PG* settings, which would send a server program to another
 * server, and messages in English because we read them.
 */
export function programEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const { name, home } = dataOwner();
  return {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: home,
    USER: name,
    LOGNAME: name,
    LC_ALL: 'C',
    ...(process.env['TZ'] === undefined ? {} : { TZ: process.env['TZ'] }),
    ...extra,
  };
}

/** Those of the variables that the caller has set. */
export function callersEnvironment(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** Who a program runs as: the data's owner, with root's identity and groups dropped for good in the child. */
export function programIdentity(): { uid?: number; gid?: number } {
  return calledByRoot() ? { uid: dataOwner().uid, gid: dataOwner().gid } : {};
}

/** The caller whole: of root's own rights only the user comes back by itself, and the groups would stay the owner's. */
function callerIdentity(): { uid?: number; gid?: number } {
  return calledByRoot() ? { uid: 0, gid: 0 } : {};
}

/**
 * How to begin a server as the data's owner logs in, with the account's further groups, where it has any: ssl-cert lets
 * servers on Debian read their key. With a uid alone, spawn drops them all.
 */
function withGroups(
  program: string,
  args: readonly string[],
): { file: string; args: string[]; uid?: number; gid?: number } {
  const { uid, gid, name } = dataOwner();
  const setpriv = calledByRoot() && hasFurtherGroups(name) ? findProgram('setpriv') : undefined;
  if (setpriv === undefined) return { file: program, args: [...args], ...programIdentity() };
  const become = ['--reuid', String(uid), '--regid', String(gid), '--init-groups'];
  return { file: setpriv, args: [...become, '--', program, ...args] };
}

/** Whether the account may read a file, in the groups that `withGroups` gives its servers. */
export async function serverMayRead(path: string, signal: AbortSignal): Promise<boolean> {
  const { execa } = await import('execa');
  const { file, args, ...identity } = withGroups('/bin/sh', ['-c', '[ -r "$1" ]', 'sh', path]);
  const options = { ...identity, cwd: '/', env: programEnvironment(), extendEnv: false, stdin: 'ignore' as const };
  const { exitCode } = await asCaller(() =>
    execa(file, args, { ...options, cancelSignal: signal, timeout: 5000, reject: false }),
  );
  signal.throwIfAborted();
  return exitCode === 0;
}

/**
 * Runs a program to its end as the data's owner, without a shell.
 * @throws PROGRAM_FAILED (its own last words as output), PROGRAM_TIMEOUT, or the signal's reason
 */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  options.signal.throwIfAborted();
  const { execa } = await import('execa');
  const child = asCaller(() =>
    execa(program, [...args], {
      ...(options.asCaller ? callerIdentity() : programIdentity()),
      cwd: options.cwd ?? '/',
      env: programEnvironment(options.env),
      extendEnv: false,
      cancelSignal: options.signal,
      timeout: options.timeoutMs,
      forceKillAfterDelay: 5000,
      maxBuffer: 64 * 1024 * 1024,
      ...(options.onOutput === undefined ? {} : { buffer: { stdout: false } }),
      ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    }),
  );
  if (options.onOutput) child.stdout?.on('data', options.onOutput);
  if (options.onErrorLine) tellLines(child, options.onErrorLine);
  try {
    const { stdout, stderr } = await child;
    return { stdout: String(stdout ?? ''), stderr: String(stderr ?? '') };
  } catch (error) {
    const { exitCode, stdout, stderr } = error as ProgramError;
    if (exitCode !== undefined && options.alsoEndsWith?.includes(exitCode)) {
      return { stdout: stdout ?? '', stderr: stderr ?? '' };
    }
    throw explain(program, error, options);
  }
}

function tellLines(child: ResultPromise, tell: (line: string) => void): void {
  let rest = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split(/[\r\n]/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') tell(line.trim());
  });
}

interface ProgramError extends Error {
  timedOut?: boolean;
  isCanceled?: boolean;
  exitCode?: number;
  signal?: string;
  stderr?: string;
  stdout?: string;
  code?: string;
}

function explain(program: string, thrown: unknown, options: RunOptions): unknown {
  const error = thrown as ProgramError;
  const name = program.split('/').at(-1) ?? program;
  if (error.isCanceled || isAbort(error)) {
    return options.signal.reason ?? error;
  }
  const output = (error.stderr || error.stdout || '').trim();
  if (error.timedOut) {
    return new AppError('PROGRAM_TIMEOUT', `${name} did not end within ${options.timeoutMs / 1000} s and was stopped`, {
      output,
      cause: error,
    });
  }
  if (/No space left on device|Disk quota exceeded|Check free disk space/.test(output)) {
    return new AppError('DISK_SPACE', `${name} ran out of disk space`, {
      hint: 'free some space (df -h), then repeat the command',
      output,
      cause: error,
    });
  }
  if (error.code === 'ENOENT') {
    return new AppError('PROGRAM_FAILED', `${program} cannot be run: no such program`, { cause: error });
  }
  const how = error.signal ? `was ended by ${error.signal}` : `failed (exit status ${error.exitCode ?? '?'})`;
  return new AppError('PROGRAM_FAILED', `${name} ${how}`, { output, cause: error });
}

export interface Daemon {
  pid: number;
  /** How the process ended, once it has: an exit status or the name of a signal. */
  ended(): string | undefined;
}

/**
 * Starts a program that outlives us, in a session of its own, as the data's owner with its groups. What it says goes to the
 * end of `outputFile`.
 */
export async function startDaemon(program: string, args: readonly string[], outputFile: string): Promise<Daemon> {
  const output = openSync(outputFile, 'a', 0o600);
  try {
    const { file, args: words, ...identity } = withGroups(program, args);
    const child = asCaller(() =>
      spawn(file, words, {
        ...identity,
        cwd: '/',
        env: programEnvironment(),
        detached: true,
        stdio: ['ignore', output, output],
      }),
    );
    let ended: string | undefined;
    child.once('exit', (code, signal) => (ended = signal ?? `exit status ${code}`));
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        reject(new AppError('PROGRAM_FAILED', `${program} cannot be run: ${error.message}`, { cause: error }));
      });
    });
    child.unref();
    return { pid: child.pid ?? 0, ended: () => ended };
  } finally {
    closeSync(output);
  }
}

/** The absolute path of a program on PATH, or in the usual folders (cron's PATH is short, a user's has no sbin), or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = `${programEnvironment()['PATH']}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin`.split(':');
  return folders.map((folder) => `${folder}/${name}`).find(isProgram);
}

/** Whether a file is there that may be run. */
export function isProgram(path: string): boolean {
  try {
    const { mode } = statSync(path);
    return (mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

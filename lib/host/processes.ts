import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { AppError } from '../errors.ts';
import { poll } from './wait.ts';
import { asCaller, asOwnerOrCaller } from './users.ts';

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** When the process began, in a form of the system's own that is only ever compared for equality. */
  started: string;
  /** The boot and process namespace that the number belongs to. */
  host: string;
}

const onLinux = process.platform === 'linux';

function procText(pid: number | 'self', file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat (proc(5)): clock ticks since boot. The name in field 2 may hold spaces and brackets. */
function startOf(pid: number): string | undefined {
  if (onLinux) {
    const stat = procText(pid, 'stat');
    if (stat === undefined) return undefined;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  }
  try {
    return (
      execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', timeout: 5000 }).trim() || undefined
    );
  } catch {
    return undefined;
  }
}

let hostName: string | undefined;

function thisHost(): string {
  if (hostName !== undefined) return hostName;
  if (!onLinux) return (hostName = process.platform);
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return (hostName = `${boot} ${readlinkSync('/proc/self/ns/pid')}`);
}

/** Who a process is now, or undefined when there is none (a zombie is none). */
export function identify(pid: number): ProcessIdentity | undefined {
  const started = startOf(pid);
  return started === undefined ? undefined : { pid, started, host: thisHost() };
}

/** This very process. */
export function ourselves(): ProcessIdentity {
  const identity = identify(process.pid);
  if (identity === undefined) throw new Error('this process cannot see itself');
  return identity;
}

/**
 * True unless the process is proven gone. One of another process namespace (a container sharing our folders) cannot be
 * seen from here, so it counts as living; one of an earlier boot is gone.
 */
export function isAlive({ pid, started, host }: ProcessIdentity): boolean {
  const [boot, namespace] = host.split(' ');
  const [ourBoot, ourNamespace] = thisHost().split(' ');
  if (boot !== ourBoot) return false;
  if (namespace !== ourNamespace) return true;
  return startOf(pid) === started;
}

/** True when some process has this number now. */
export function pidExists(pid: number): boolean {
  return startOf(pid) !== undefined;
}

/** Where a process stands; a removed folder ends in " (deleted)". Undefined when gone or not ours to see. */
export function workingFolder(pid: number): string | undefined {
  const look = (): string | undefined => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`);
    } catch {
      return undefined;
    }
  };
  // As the data's owner first, who sees the servers: taking root's rights back stops every thread of ours for a moment,
  // which on a busy machine is a long one.
  return look() ?? (pidExists(pid) ? asCaller(look) : undefined);
}

/**
 * The processes that stand in a folder, by whatever path they came there (a container has its own). Those that we may not
 * look into are not among them; nor is anything on a system without /proc.
 */
export function standingIn(folder: string): number[] {
  if (!onLinux) return [];
  return asCaller(() => {
    const wanted = identityOf(folder);
    return wanted === undefined ? [] : allPids().filter((pid) => identityOf(`/proc/${pid}/cwd`) === wanted);
  });
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

/** Whose process it is; undefined when gone, or on a system without /proc. */
export function processUser(pid: number): number | undefined {
  return onLinux ? statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid : undefined;
}

/** The children of a process and what they call themselves; empty on a system without /proc. */
export function childrenOf(pid: number): { pid: number; title: string }[] {
  const pids = procText(pid, `task/${pid}/children`)?.trim().split(' ') ?? [];
  return pids
    .filter((child) => child !== '')
    .map((child) => ({ pid: Number(child), title: commandLine(Number(child)).join(' ') }));
}

/** The argument list of a process; empty when gone. */
export function commandLine(pid: number): string[] {
  if (onLinux) return (procText(pid, 'cmdline') ?? '').split('\0').filter((part) => part !== '');
  try {
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8', timeout: 5000 })
      .trim()
      .split(' ');
  } catch {
    return [];
  }
}

/** The file that a process writes its output to, as it calls it; /dev/null for one that writes to no file, or that cannot be seen. */
export function outputOf(pid: number): string {
  try {
    const path = asCaller(() => readlinkSync(`/proc/${pid}/fd/1`));
    return path.startsWith('/') && !path.endsWith(' (deleted)') ? path : '/dev/null';
  } catch {
    return '/dev/null';
  }
}

/** Ends a program of ours that still works on a folder, in order. */
export async function endProgramOn(folder: string, name: string): Promise<void> {
  const pids = processesOn(folder).filter((pid) => programName(pid) === name);
  for (const pid of pids) sendSignal(pid, 'SIGTERM');
  for (const pid of pids) await waitForEnd(pid, 60_000, new AbortController().signal);
}

function allPids(): number[] {
  if (onLinux) {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  }
  const list = execFileSync('ps', ['-axo', 'pid='], { encoding: 'utf8', timeout: 5000 });
  return list.trim().split(/\s+/).map(Number);
}

/** The programs that this tool lets work on folders of its own. An operator's `tail -f` there is left alone. */
const ourPrograms = new Set([
  'postgres',
  'initdb',
  'pg_basebackup',
  'pg_verifybackup',
  'pg_waldump',
  'pg_checksums',
  'pg_dump',
  'pg_receivewal',
  'receive-wal',
  'pgbouncer',
  'tar',
  'zstd',
  'lz4',
  'gzip',
]);

function programName(pid: number): string {
  // A server's children retitle themselves `postgres: …`.
  const [program, script] = commandLine(pid).map((argument) =>
    argument.split(' ')[0]?.replace(/:$/, '').split('/').at(-1),
  );
  // The receiver is a script of ours, which the system hands to the shell that it names.
  return (program === 'sh' && script === 'receive-wal' ? script : program) ?? '';
}

/** The processes of ours that name a folder, or something in it, among their arguments, or that stand in it. */
export function processesOn(folder: string): number[] {
  const inside = (path: string): boolean =>
    path === folder || path.startsWith(`${folder}/`) || path === `${folder} (deleted)`;
  const named = (argument: string): boolean => inside(argument) || inside(argument.slice(argument.indexOf('=') + 1));
  return allPids().filter(
    (pid) =>
      ourPrograms.has(programName(pid)) && (commandLine(pid).slice(1).some(named) || inside(workingFolder(pid) ?? '')),
  );
}

/** Sends a signal; a process that is gone already is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  asOwnerOrCaller(() => {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  });
}

/** Waits until a process is gone; false when it still lives after `timeoutMs`. */
export async function waitForEnd(pid: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const started = startOf(pid);
  const gone = (): true | undefined => (started === undefined || startOf(pid) !== started ? true : undefined);
  return (await poll(gone, { signal, timeoutMs, minMs: 5, maxMs: 200 })) ?? false;
}

/** A signal, and how long it is given, in milliseconds. */
export type WayToEnd = readonly [signal: NodeJS.Signals, waitMs: number];

/**
 * Ends a process by one way after the other, until it is gone.
 * @param what it is, in words
 * @throws STOP_TIMEOUT when not even the last way has ended it
 */
export async function endInTurn(
  process: ProcessIdentity,
  what: string,
  ways: readonly WayToEnd[],
  signal: AbortSignal,
): Promise<void> {
  for (const [way, waitMs] of ways) {
    if (!isAlive(process)) return;
    sendSignal(process.pid, way);
    if (await waitForEnd(process.pid, waitMs, signal)) return;
  }
  throw new AppError('STOP_TIMEOUT', `the ${what} (process ${process.pid}) does not end, not even by SIGKILL`, {
    hint: `see what holds it: ps -o stat,wchan:30,args -p ${process.pid}`,
  });
}

/**
 * Ends what an operation of ours left working on a folder of its own: servers by an immediate shutdown, the rest by SIGTERM,
 * then SIGKILL. For scratch only, never for a client's server.
 */
export async function endProcessesOn(folder: string): Promise<void> {
  const { signal } = new AbortController();
  const pids = processesOn(folder);
  for (const pid of pids) sendSignal(pid, programName(pid) === 'postgres' ? 'SIGQUIT' : 'SIGTERM');
  for (const pid of pids) {
    if (await waitForEnd(pid, 3000, signal)) continue;
    sendSignal(pid, 'SIGKILL');
    await waitForEnd(pid, 3000, signal);
  }
}

import { join } from 'node:path';
import { exists, readText } from '../host/files.ts';
import { commandLine, pidExists, standingIn, workingFolder } from '../host/processes.ts';
import { readPostmasterFile } from './postmaster.ts';

/** What the lock file of a data directory (postmaster.pid) and the processes on it come to. */
export type LockFile =
  /** None, or one of a dead process, which the server itself takes away. */
  | { kind: 'free' }
  /** A living server is on the data, whether the file names it or not. */
  | { kind: 'server'; pid: number }
  /** The server is dead, some of its processes still run; they end by themselves. Without the file nothing would hold a new one up. */
  | { kind: 'orphans'; pid: number }
  /** In the way, and proven to be a dead server's: nothing of a server is on the data, and its number means something else. */
  | { kind: 'remnant'; names: string }
  /** Names a process that we may not look into. */
  | { kind: 'unproven'; pid: number };

/** Looks at both; changes nothing. */
export function judgeLockFile(dataDirectory: string): LockFile {
  const on = standingIn(dataDirectory).filter((pid) => serverPart(pid) !== undefined);
  const server = on.find((pid) => serverPart(pid) === 'postmaster');
  if (server !== undefined) return { kind: 'server', pid: server };
  if (readText(join(dataDirectory, 'postmaster.pid')) === undefined) return { kind: 'free' };
  const [orphan] = on;
  if (orphan !== undefined) return { kind: 'orphans', pid: orphan };
  const pid = readPostmasterFile(dataDirectory)?.pid;
  if (pid === undefined) return { kind: 'remnant', names: 'no process' };
  // A process that nobody has waited for is dead, yet the server takes it for one that lives.
  if (!pidExists(pid))
    return exists(`/proc/${pid}`) ? { kind: 'remnant', names: `process ${pid}, which has ended` } : { kind: 'free' };
  if (workingFolder(pid) === undefined) return { kind: 'unproven', pid };
  return { kind: 'remnant', names: `process ${pid}, which is ${commandLine(pid).join(' ').slice(0, 80)}` };
}

/**
 * The lock file beside a server's socket, where it is in the way and proven to be a dead server's: what it names. To be asked
 * when no server is on the data that the socket belongs to.
 */
export function socketRemnant(lockFile: string): string | undefined {
  const pid = Number(/^-?(\d+)/.exec(readText(lockFile) ?? '')?.[1] ?? 0);
  if (pid === 0 || !exists(`/proc/${pid}`)) return undefined;
  if (!pidExists(pid)) return `process ${pid}, which has ended`;
  if (serverPart(pid) !== undefined || workingFolder(pid) === undefined) return undefined;
  return `process ${pid}, which is ${commandLine(pid).join(' ').slice(0, 80)}`;
}

/** The servers that stand in a data directory, as every postmaster does. */
export function serversOn(dataDirectory: string): number[] {
  return standingIn(dataDirectory).filter((pid) => serverPart(pid) === 'postmaster');
}

/** A postmaster bears the program's name; its children call themselves `postgres: …`. */
function serverPart(pid: number): 'postmaster' | 'child' | undefined {
  const title = commandLine(pid)[0]?.split('/').at(-1) ?? '';
  if (title === 'postgres' || title === 'postmaster') return 'postmaster';
  return (commandLine(pid)[0] ?? '').startsWith('postgres: ') ? 'child' : undefined;
}

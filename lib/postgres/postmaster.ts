import { join } from 'node:path';
import { exists, readBytes, readText, realPath } from '../host/files.ts';
import { commandLine, pidExists, workingFolder } from '../host/processes.ts';

/** What a running server writes into postmaster.pid (PostgreSQL's pidfile.h, one thing a line). */
export interface PostmasterFile {
  pid: number;
  dataDirectory: string;
  /** Seconds since 1970 when the server began. */
  startedAtSeconds: number;
  port: number;
  socketFolder: string;
  /** Line 8, from version 10 on: `starting`, `stopping`, `ready`, `standby`. Empty while the server has not said. */
  status: string;
}

export function readPostmasterFile(dataDirectory: string): PostmasterFile | undefined {
  const text = readText(join(dataDirectory, 'postmaster.pid'));
  const lines = text?.split('\n').map((line) => line.trim()) ?? [];
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid === 0) return undefined;
  return {
    pid: Math.abs(pid), // a single-user server writes a negative number
    dataDirectory: lines[1] ?? '',
    startedAtSeconds: Number(lines[2] ?? 0),
    port: Number(lines[3] ?? 0),
    socketFolder: lines[4] ?? '',
    status: lines[7] ?? '',
  };
}

/**
 * The live postmaster of a data directory, or undefined. A pid file alone proves nothing: the process must exist, be a
 * server, and stand in this very folder (every postmaster changes into its data directory), which no other server with a
 * reused number does. Start times are not compared: the file's is by a wall clock that may have jumped since.
 */
export function livePostmaster(dataDirectory: string): PostmasterFile | undefined {
  const file = readPostmasterFile(dataDirectory);
  return file !== undefined && isPostmasterOf(file.pid, dataDirectory) ? file : undefined;
}

function isPostmasterOf(pid: number, dataDirectory: string): boolean {
  if (!pidExists(pid)) return false;
  const program = commandLine(pid)[0]?.split('/').at(-1);
  if (program !== 'postgres' && program !== 'postmaster') return false;
  const folder = workingFolder(pid);
  // The data may be behind a link, where its disk is another.
  if (folder !== undefined) return folder === realPath(dataDirectory);
  return commandLine(pid).includes(dataDirectory); // no /proc on this system
}

/**
 * The system identifier that initdb gave the data directory: the first eight bytes of pg_control (PostgreSQL's pg_control.h).
 * Undefined when there is no such file.
 */
export function systemIdentifierOf(dataDirectory: string): string | undefined {
  const bytes = readBytes(join(dataDirectory, 'global', 'pg_control'), 0, 8);
  return bytes?.length === 8 ? bytes.readBigUInt64LE(0).toString() : undefined;
}

/** The major version that a data directory was made by. */
export function majorOf(dataDirectory: string): number | undefined {
  const text = readText(join(dataDirectory, 'PG_VERSION'));
  return text === undefined ? undefined : Number.parseInt(text, 10);
}

/** `state` in pg_control, which follows two 4-byte versions; undefined when there is no such file. */
function stateOf(dataDirectory: string): number | undefined {
  const bytes = readBytes(join(dataDirectory, 'global', 'pg_control'), 16, 4);
  return bytes?.length === 4 ? bytes.readUInt32LE(0) : undefined;
}

/** enum DBState in PostgreSQL's pg_control.h, the same from 13 to 18. */
const states = { shutDown: 1, shutDownInRecovery: 2, inArchiveRecovery: 5 };

/** True when the last server on the data directory shut down in order. */
export function wasShutDown(dataDirectory: string): boolean {
  const state = stateOf(dataDirectory);
  return state === states.shutDown || state === states.shutDownInRecovery;
}

/** True for the data of a standby, or of a recovery that has not ended. */
export function isInRecovery(dataDirectory: string): boolean {
  const state = stateOf(dataDirectory);
  const asked = ['standby.signal', 'recovery.signal'].some((name) => exists(join(dataDirectory, name)));
  return asked || state === states.shutDownInRecovery || state === states.inArchiveRecovery;
}

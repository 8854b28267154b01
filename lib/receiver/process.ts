import {
  commandLine,
  endInTurn,
  identify,
  processesOn,
  type ProcessIdentity,
  processUser,
  type WayToEnd,
} from '../host/processes.ts';
import { dataOwner } from '../host/users.ts';
import type { ReceiverPaths } from './places.ts';

/** The processes that receive an instance's WAL. */
export interface ReceiverProcesses {
  /** The script that has pg_receivewal at work, and starts it again. */
  script: ProcessIdentity | undefined;
  /** pg_receivewal itself; between two attempts there is none. */
  programs: ProcessIdentity[];
}

/**
 * The live receiver of an instance: processes of the data's owner that were given this instance's own tail. No pid file is
 * believed.
 */
export function liveReceiver({ script, tail }: ReceiverPaths): ReceiverProcesses {
  const owner = dataOwner().uid;
  const found: ReceiverProcesses = { script: undefined, programs: [] };
  for (const pid of processesOn(tail)) {
    const identity = (processUser(pid) ?? owner) === owner ? identify(pid) : undefined;
    if (identity === undefined) continue;
    if (commandLine(pid).includes(script)) found.script = identity;
    else if (commandLine(pid).some((argument) => argument.startsWith('--slot='))) found.programs.push(identity);
  }
  return found;
}

/**
 * Ends a receiver and proves that it is gone; whatever ends it, all that it has acknowledged is synced.
 * @returns whether there was one
 * @throws STOP_TIMEOUT when not even SIGKILL has ended it
 */
export async function endReceiver(paths: ReceiverPaths, signal: AbortSignal): Promise<boolean> {
  const { script } = liveReceiver(paths);
  // The script first: it would start another pg_receivewal.
  if (script !== undefined) await endInTurn(script, 'receiver', ways, signal);
  const { programs } = liveReceiver(paths);
  for (const program of programs) await endInTurn(program, 'receiver', ways, signal);
  return script !== undefined || programs.length > 0;
}

const ways: readonly WayToEnd[] = [
  ['SIGTERM', 3000],
  ['SIGKILL', 5000],
];

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
import type { PoolerPaths } from './places.ts';

/**
 * The live pooler of an instance, or undefined: a process of the data's owner, called pgbouncer, that was given this
 * instance's own configuration file. No pid file is believed; what has this file's path in its arguments is nobody else's.
 */
export function livePooler({ configuration }: PoolerPaths): ProcessIdentity | undefined {
  const owner = dataOwner().uid;
  for (const pid of processesOn(configuration)) {
    const argument = commandLine(pid).at(-1);
    if (argument === configuration && (processUser(pid) ?? owner) === owner) return identify(pid);
  }
  return undefined;
}

/**
 * Ends a pooler and proves that it is gone. It holds nothing that could be lost: what does not end when asked is killed.
 * @param graceMs how long transactions (in session mode: sessions) have to end by themselves
 * @throws STOP_TIMEOUT when not even that has ended it
 */
export async function endPooler(pooler: ProcessIdentity, graceMs: number, signal: AbortSignal): Promise<void> {
  // The second SIGTERM is for 1.23 and later, which take the first for a wish to wait for all clients.
  const ways: WayToEnd[] = [
    ...(graceMs > 0 ? [['SIGINT', graceMs] as const] : []),
    ['SIGTERM', 1000],
    ['SIGTERM', 2000],
    ['SIGKILL', 5000],
  ];
  await endInTurn(pooler, 'pooler', ways, signal);
}

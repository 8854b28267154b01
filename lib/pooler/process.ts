import { AppError } from '../errors.ts';
import {
  commandLine,
  identify,
  isAlive,
  processesOn,
  type ProcessIdentity,
  processUser,
  sendSignal,
  waitForEnd,
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
  const ways: [NodeJS.Signals, number][] = [
    ...(graceMs > 0 ? [['SIGINT', graceMs] as [NodeJS.Signals, number]] : []),
    ['SIGTERM', 1000],
    ['SIGTERM', 2000],
    ['SIGKILL', 5000],
  ];
  for (const [way, waitMs] of ways) {
    if (!isAlive(pooler)) return;
    sendSignal(pooler.pid, way);
    if (await waitForEnd(pooler.pid, waitMs, signal)) return;
  }
  throw new AppError('STOP_TIMEOUT', `the pooler (process ${pooler.pid}) does not end, not even by SIGKILL`, {
    hint: `see what holds it: ps -o stat,wchan:30,args -p ${pooler.pid}`,
  });
}

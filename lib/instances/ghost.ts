import { processesOn, sendSignal, waitForEnd } from '../host/processes.ts';
import { exists } from '../host/files.ts';
import type { Operation } from '../operation.ts';
import type { InstanceName } from './names.ts';
import { instancePaths } from './places.ts';

/**
 * Ends a server whose data directory was removed under it. It holds the port and can save nothing any more; by itself it
 * notices within a minute (PostgreSQL checks its lock file) and shuts down the same way.
 */
export async function endGhost({ places, task }: Operation, name: InstanceName): Promise<void> {
  const { data } = instancePaths(places, name);
  if (exists(data)) return;
  const pids = processesOn(data);
  if (pids.length === 0) return;
  task.warn(`a server of ${name} still runs without its data; it is ended`);
  for (const pid of pids) sendSignal(pid, 'SIGQUIT');
  for (const pid of pids) await waitForEnd(pid, 10_000, task.signal);
}

import { AppError } from '../errors.ts';
import { monotonicMs } from '../host/clock.ts';
import { childrenOf, sendSignal, waitForEnd } from '../host/processes.ts';
import { stopServer, stopSignals } from '../postgres/server.ts';
import { withClient } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { explainingAccess } from './access.ts';
import { asSuperuser } from './connection.ts';
import type { InstancePaths } from './places.ts';
import { livePostmaster } from '../postgres/postmaster.ts';
import type { InstanceRecord } from './record.ts';

/**
 * `orderly`: sessions in the middle of something are given a moment to end it, then all are ended (smart, then fast).
 * `fast`: all are ended at once. `immediate`: nothing is ended in order; the next start recovers.
 */
export type StopWay = 'orderly' | 'fast' | 'immediate';

/** How long sessions in the middle of something are waited for, at the most. */
export const graceMs = 5000;

/**
 * Stops an instance and proves that its process is gone. Already stopped is success.
 * @returns whether it ran
 * @throws STOP_TIMEOUT, naming the sessions that hold it up; nothing is killed then
 */
export async function stopInstance(
  task: Task,
  paths: InstancePaths,
  record: InstanceRecord,
  { way, timeoutMs }: { way: StopWay; timeoutMs: number },
): Promise<boolean> {
  const { name } = record;
  const running = explainingAccess(name, paths, () => livePostmaster(paths.data));
  if (running === undefined) return false;
  return await task.step('stop', async (step) => {
    const begunMs = monotonicMs();
    const busy = way === 'orderly' ? await busySessions(task, paths, record) : [];
    if (busy.length > 0) {
      step.progress(`waiting for ${busy.join(', ')}`);
      sendSignal(running.pid, stopSignals.smart);
      if (await waitForEnd(running.pid, Math.min(graceMs, timeoutMs), task.signal)) return true;
    }
    try {
      const leftMs = timeoutMs - (monotonicMs() - begunMs);
      await stopServer(running.pid, way === 'immediate' ? 'immediate' : 'fast', Math.max(leftMs, 0), task.signal);
    } catch (error) {
      throw namingHolders(error, name, running.pid, timeoutMs);
    }
    return true;
  });
}

/** A stop that took too long: with the processes of the server that are left, which hold it up. */
function namingHolders(error: unknown, name: string, pid: number, timeoutMs: number): unknown {
  if (!(error instanceof AppError) || error.code !== 'STOP_TIMEOUT') return error;
  const holders = holdersUp(pid);
  const named = holders.slice(0, 5).map((holder) => `process ${holder.pid} (${holder.title})`);
  const more = holders.length > named.length ? ` and ${holders.length - named.length} more` : '';
  const waits = holders.length === 0 ? '' : `: it waits for ${named.join(', ')}${more}`;
  const look = holders.length === 0 ? '' : `; look at them: ps -fp ${holders.map((holder) => holder.pid).join(',')}`;
  return new AppError(
    'STOP_TIMEOUT',
    `the server (process ${pid}) has not stopped after ${timeoutMs / 1000} s${waits}`,
    {
      hint: `it was told to stop and will; wait on with: ./manage.ts stop ${name} --timeout SECONDS${look}`,
      data: { holders },
      cause: error,
    },
  );
}

/** The clients' processes, which name an address; where none is left, those of the server itself. */
function holdersUp(pid: number): { pid: number; title: string }[] {
  const left = childrenOf(pid).map((child) => ({ ...child, title: child.title.replace(/^postgres: (?:\S+: )?/, '') }));
  const sessions = left.filter(({ title }) => /\(\d+\)|\[local\]/.test(title));
  return sessions.length > 0 ? sessions : left;
}

/** The client sessions that are in the middle of something, the longest first; none where the server does not say. */
export async function busySessions({ signal }: Task, paths: InstancePaths, record: InstanceRecord): Promise<string[]> {
  try {
    return await withClient({ ...asSuperuser(paths, record), signal, timeoutMs: 2000 }, async (client) => {
      const { rows } = await client.query<{ session: string }>(
        `select format('%s of %s (process %s, %s s)', state, usename, pid,
                       round(extract(epoch from clock_timestamp() - xact_start))) as session
           from pg_stat_activity
          where backend_type = 'client backend' and state <> 'idle' and pid <> pg_backend_pid()
          order by xact_start limit 5`,
      );
      return rows.map(({ session }) => session);
    });
  } catch {
    signal.throwIfAborted();
    return []; // it does not answer; being asked to stop needs no answer
  }
}

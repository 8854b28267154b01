import { AppError } from '../errors.ts';
import { pause } from '../host/wait.ts';
import { sqlState } from '../postgres/sql.ts';
import type { Step, Task } from '../task.ts';

/** How a file meets the locks of a busy database. */
export interface LockRetry {
  /** The server's lock_timeout for each lock a statement asks for, in milliseconds. */
  timeoutMs: number;
  /** How many times the whole file is tried. */
  tries: number;
  /** The first pause between two tries, in milliseconds; it grows by half, with jitter, up to twenty times as much. */
  pauseMs: number;
}

export const defaultLockRetry: LockRetry = { timeoutMs: 5000, tries: 10, pauseMs: 1000 };

/**
 * Not the file's fault: a lock that was not had in time (55P03), a deadlock with the application's traffic (40P01), somebody
 * connected to the database that is being copied or dropped (55006).
 */
const worthRetrying = new Set(['55P03', '40P01', '55006']);

/**
 * Does what runs into the locks of others until it gets through.
 * @param attempt leaves nothing behind when it throws
 * @throws the last attempt's MIGRATION_FAILED
 */
export async function retrying<T>(task: Task, step: Step, lockRetry: LockRetry, attempt: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof AppError) || !worthRetrying.has(sqlState(error.cause) ?? '')) throw error;
      if (tried >= lockRetry.tries) throw error.with({ tries: tried }, `${error.message}; tried ${tried} times`);
      if (tried === 1) task.warn(`${error.message}; it is rolled back and tried again`);
      step.progress(`try ${tried} of ${lockRetry.tries} found a lock taken`);
      // Jitter, so that two who wait for each other do not meet again.
      const pauseMs = lockRetry.pauseMs * Math.min(20, 1.5 ** (tried - 1)) * (0.8 + Math.random() * 0.4);
      await pause(pauseMs, task.signal);
    }
  }
}

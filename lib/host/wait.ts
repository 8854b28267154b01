import { setTimeout as delay } from 'node:timers/promises'; // eslint-disable-line no-restricted-imports -- the one place that may
import { monotonicMs } from './clock.ts';

/** Waits `ms`, or until the signal aborts (then rejects with its reason). The only sleep there is. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

export interface PollOptions {
  signal: AbortSignal;
  /** When to give up; Infinity to wait for as long as the signal allows. */
  timeoutMs: number;
  /** The first pause; it grows by half up to `maxMs`, with jitter so that many waiters do not march in step. */
  minMs?: number;
  maxMs?: number;
}

/**
 * Asks `probe` until it gives something other than undefined, and returns that, or undefined when time is up.
 * Time being up ends the waiting and nothing else.
 */
export async function poll<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  { signal, timeoutMs, minMs = 25, maxMs = 1000 }: PollOptions,
): Promise<T | undefined> {
  const deadlineMs = monotonicMs() + timeoutMs;
  for (let pauseMs = minMs; ; pauseMs = Math.min(pauseMs * 1.5, maxMs)) {
    signal.throwIfAborted();
    const found = await probe();
    if (found !== undefined) return found;
    const leftMs = deadlineMs - monotonicMs();
    if (leftMs <= 0) return undefined;
    await pause(Math.min(pauseMs * (0.8 + Math.random() * 0.4), leftMs), signal);
  }
}

/** What work of our own reads before it lets anything else in: some tens of milliseconds. */
const breathAfterBytes = 16 * 1024 * 1024;

/**
 * For long work that never waits for anything: awaited with the bytes just done, it lets signals and other work in now and
 * then, and rejects with the signal's reason.
 */
export function breathing(signal: AbortSignal): (bytes: number) => Promise<void> {
  let done = 0;
  return async (bytes) => {
    done += bytes;
    if (done < breathAfterBytes) return;
    done = 0;
    await pause(0, signal);
  };
}

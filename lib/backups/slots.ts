import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { ensureFolder } from '../host/folders.ts';
import { acquire, type Lock } from '../host/locks.ts';
import { poll } from '../host/wait.ts';
import type { Operation } from '../operation.ts';

/** So many backups and test restores at once on one host; more would only make each of them, and the servers, slower. */
const slotCount = 2;
/** Backups queue behind each other for as long as the ones before them take. */
const limitMs = 24 * 60 * 60 * 1000;

/** Runs a step with one of the host's few places for heavy work held. @throws LOCKED when none gets free within a day */
export async function withSlot<T>(
  { places, task }: Pick<Operation, 'places' | 'task'>,
  action: string,
  step: () => Promise<T>,
): Promise<T> {
  ensureFolder(places.host, 0o1777);
  let told = false;
  const lock = await poll(
    async () => {
      const free = await freeSlot(places.host, action, task.signal);
      if (free === undefined && !told) {
        told = true;
        task.emit({ type: 'notice', message: `waiting: ${slotCount} backups or test restores run on this host` });
      }
      return free;
    },
    { signal: task.signal, timeoutMs: limitMs },
  );
  if (lock === undefined) throw new AppError('LOCKED', 'other backups have kept this host busy for a day');
  try {
    return await step();
  } finally {
    lock.release();
  }
}

async function freeSlot(host: string, action: string, signal: AbortSignal): Promise<Lock | undefined> {
  for (let slot = 1; slot <= slotCount; slot++) {
    const folder = join(host, `backup-slot-${slot}`);
    const request = { folder, folderMode: 0o777, subject: `place ${slot} for backups`, action, signal };
    try {
      return await acquire({ ...request, mode: 'exclusive', timeoutMs: 0 });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'LOCKED') throw error;
    }
  }
  return undefined;
}

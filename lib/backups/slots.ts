import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { ensureFolder } from '../host/folders.ts';
import { enter } from '../host/queue.ts';
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
  const place = await enter({
    folder: join(places.host, 'backup-queue'),
    places: slotCount,
    action,
    timeoutMs: limitMs,
    signal: task.signal,
    onWait: () =>
      task.emit({ type: 'notice', message: `waiting: ${slotCount} backups or test restores run on this host` }),
  });
  if (place === undefined) throw new AppError('LOCKED', 'other backups have kept this host busy for a day');
  try {
    return await step();
  } finally {
    place.release();
  }
}

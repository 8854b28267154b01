import { join } from 'node:path';
import { listFolder, modifiedMs } from '../host/files.ts';

/** WAL that the server has finished and the archive does not hold yet. */
export interface WaitingWal {
  segments: number;
  /** Since when the oldest waits, in milliseconds since 1970; undefined where none does. */
  oldestMs: number | undefined;
}

/** By the marks the server leaves for its archiver (`archive_status/*.ready`), so also of one that is down or silent. */
export function waitingWal(dataDirectory: string): WaitingWal {
  const status = join(dataDirectory, 'pg_wal', 'archive_status');
  const waiting = listFolder(status).filter((file) => file.endsWith('.ready'));
  const sinceMs = waiting.map((file) => modifiedMs(join(status, file)) ?? Infinity);
  return { segments: waiting.length, oldestMs: sinceMs.length === 0 ? undefined : Math.min(...sinceMs) };
}

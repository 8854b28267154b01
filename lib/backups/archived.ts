import { AppError } from '../errors.ts';
import { monotonicMs } from '../host/clock.ts';
import { modifiedMs } from '../host/files.ts';
import { poll } from '../host/wait.ts';
import type { Task } from '../task.ts';
import { type Client, type ConnectOptions, withClient } from '../postgres/sql.ts';
import { findStored } from './stored-wal.ts';

/**
 * Waits until the archive holds a segment. The server was told to finish it, so this is short unless archiving fails; then the
 * server's own account of the failure is shown.
 * @throws BACKUP_FAILED
 */
export async function waitForArchive(
  task: Task,
  server: ConnectOptions,
  { archive, segment }: { archive: string; segment: string },
  progress: (detail: string) => void,
): Promise<void> {
  const begunMs = monotonicMs();
  progress(`waiting for ${segment}`);
  const arrived = (): true | undefined => (findStored(archive, segment) === undefined ? undefined : true);
  if (await poll(arrived, { signal: task.signal, timeoutMs: 120_000 })) return;
  const output = await withClient(server, lastArchiveFailure);
  const seconds = Math.round((monotonicMs() - begunMs) / 1000);
  throw new AppError('BACKUP_FAILED', `WAL segment ${segment} was not archived within ${seconds} s`, {
    hint: 'see why with: ./manage.ts --action diagnose, and in the log of the server: ./manage.ts --action logs',
    output,
  });
}

/** When a segment was archived, as ISO-8601 UTC; undefined when it was not. */
export function archivedAt(archive: string, segment: string): string | undefined {
  const file = findStored(archive, segment);
  const ms = file === undefined ? undefined : modifiedMs(file);
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

async function lastArchiveFailure(client: Client): Promise<string> {
  const { rows } = await client.query<{ wal: string | null; at: string | null; count: string }>(
    'select last_failed_wal as wal, last_failed_time::text as at, failed_count::text as count from pg_stat_archiver',
  );
  const row = rows[0];
  return row?.wal
    ? `pg_stat_archiver: ${row.count} failures, the last for ${row.wal} at ${row.at}`
    : 'pg_stat_archiver knows of no failure';
}

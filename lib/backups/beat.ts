import { AppError } from '../errors.ts';
import { asSuperuser } from '../instances/connection.ts';
import { instancePaths } from '../instances/places.ts';
import type { Operation } from '../operation.ts';
import { livePostmaster, systemIdentifierOf } from '../postgres/postmaster.ts';
import { withClient } from '../postgres/sql.ts';
import { archivedAt, waitForArchive } from './archived.ts';
import type { Backup } from './catalogue.ts';
import { writeHeartbeat } from './heartbeat.ts';
import type { Level } from './levels.ts';
import { archiveOfBackup } from './repository.ts';

/** The heartbeat that a test restore must give back. */
export interface Beat {
  writtenAt?: string;
  /** From when it was written to when the archive had it: what a loss of the machine at that moment would have cost. */
  rpoSeconds?: number;
  /** Why there is none to look for. */
  missing?: string;
  /** Set when the archive would not take it. */
  failed?: string;
}

/**
 * The heartbeat written before the backup; for the level `full`, where the instance runs, one that is written now, so that
 * the whole way of a transaction is measured: from its commit over the archive into the test restore.
 */
export async function beatOf(operation: Operation, backup: Backup, level: Level): Promise<Beat> {
  if (level === 'full') {
    const fresh = await freshBeat(operation, backup);
    if (fresh !== undefined) return fresh;
  }
  const { heartbeat } = backup;
  if (heartbeat === undefined) return { missing: 'none was written before this backup' };
  return { writtenAt: heartbeat.writtenAt, rpoSeconds: secondsBetween(heartbeat.writtenAt, heartbeat.archivedAt) };
}

async function freshBeat({ places, task }: Operation, { instance }: Backup): Promise<Beat | undefined> {
  const paths = instancePaths(places, instance.name);
  const running = livePostmaster(paths.data);
  if (running === undefined || systemIdentifierOf(paths.data) !== instance.systemIdentifier) return undefined;
  const server = { ...asSuperuser(paths, { port: running.port as never }), signal: task.signal, timeoutMs: 30_000 };
  const archive = archiveOfBackup(places, instance.name, instance.id);
  try {
    return await task.step('heartbeat into the archive', async (step) => {
      const { writtenAt, segment, receivedAt } = await withClient(server, async (client) => {
        const written = await writeHeartbeat(client, task.signal);
        if (written.receivedAt === undefined) await client.query('select pg_switch_wal()');
        return written;
      });
      // What was received and is not archived is in the test restore too.
      if (receivedAt !== undefined) return { writtenAt, rpoSeconds: secondsBetween(writtenAt, receivedAt) };
      await waitForArchive(task, server, { archive, segment }, step.progress);
      return { writtenAt, rpoSeconds: secondsBetween(writtenAt, archivedAt(archive, segment) ?? writtenAt) };
    });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'BACKUP_FAILED') throw error;
    return { failed: `${error.message}${error.output ? ` (${error.output})` : ''}` };
  }
}

/** Not below zero: the two clocks are the server's and the disk's. */
export function secondsBetween(from: string, to: string): number {
  return Math.max(0, Math.round(Date.parse(to) - Date.parse(from)) / 1000);
}

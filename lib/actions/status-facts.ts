import { join } from 'node:path';
import { archiveFolderOf, baseFolderOf, dumpsFolderOf } from '../backups/repository.ts';
import { monotonicMs } from '../host/clock.ts';
import { folderBytes, freeBytes } from '../host/files.ts';
import { pause } from '../host/wait.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import type { Client, Row } from '../postgres/sql.ts';

/** What a running server does. */
export interface Activity {
  startedAt: string;
  /** Committed or not, over the second that was looked at; null where nobody waited for it. */
  transactionsPerSecond: number | null;
  /** Of the blocks asked for, 0 to 1. */
  cacheHitRatio: number | null;
}

/** What an instance takes of the disk, and what its data's disk has left. */
export interface Disk {
  /** Without WAL; tablespaces elsewhere are not in it. */
  dataBytes: number;
  walBytes: number;
  archiveBytes: number;
  backupsBytes: number;
  freeBytes: number;
}

/** Since the counters were last reset, over all databases. */
interface Counters extends Row {
  /** Seconds since 1970. */
  startedAt: number;
  transactions: number;
  hit: number;
  read: number;
}

/** Servers sum up what their sessions did once in a second. */
const lookMs = 1000;

/** @param measured whether to look for a second, for the rate */
export async function askActivity(client: Client, measured: boolean, signal: AbortSignal): Promise<Activity> {
  const begunMs = monotonicMs();
  const before = measured ? await askCounters(client) : undefined;
  if (measured) await pause(lookMs, signal);
  const { startedAt, transactions, hit, read } = await askCounters(client);
  const seconds = (monotonicMs() - begunMs) / 1000;
  return {
    startedAt: new Date(startedAt * 1000).toISOString(),
    // Less our own two questions.
    transactionsPerSecond: before ? Math.max(0, transactions - before.transactions - 2) / seconds : null,
    cacheHitRatio: hit + read === 0 ? null : hit / (hit + read),
  };
}

async function askCounters(client: Client): Promise<Counters> {
  const { rows } = await client.query<Counters>(
    `select extract(epoch from pg_postmaster_start_time())::float8 as "startedAt",
            coalesce(sum(xact_commit + xact_rollback), 0)::float8 as transactions,
            coalesce(sum(blks_hit), 0)::float8 as hit, coalesce(sum(blks_read), 0)::float8 as read
       from pg_stat_database`,
  );
  return rows[0] as Counters;
}

export function observeDisk(places: Places, { name }: Pick<InstanceRecord, 'name'>): Disk {
  const { data } = instancePaths(places, name);
  const walBytes = folderBytes(join(data, 'pg_wal'));
  return {
    dataBytes: folderBytes(data) - walBytes,
    walBytes,
    archiveBytes: folderBytes(archiveFolderOf(places, name)),
    backupsBytes: folderBytes(baseFolderOf(places, name)) + folderBytes(dumpsFolderOf(places, name)),
    freeBytes: freeBytes(data),
  };
}

import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { nowIso, nowMs } from '../host/clock.ts';
import { exists, fileSize, folderBytes, freeBytes, listFolder, sha256 } from '../host/files.ts';
import { makeFolder } from '../host/folders.ts';
import { copyFile, moveForGood, syncFolder } from '../host/for-good.ts';
import { poll } from '../host/wait.ts';
import { asSuperuser } from '../instances/connection.ts';
import { instancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import type { Operation } from '../operation.ts';
import { readManifest, takeBaseBackup } from '../postgres/basebackup.ts';
import type { Installation } from '../postgres/installations.ts';
import { lastSegmentNumber, segmentName } from '../postgres/wal.ts';
import { type Client, withClient } from '../postgres/sql.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Backup, backupFolder, stagingFolder, writeBackup } from './catalogue.ts';
import { chooseCodec, type Codec, compressionArguments } from './compression.ts';
import { archiveFolderOf } from './repository.ts';

export interface TakeOptions {
  id: string;
  label: string | undefined;
  codec: Codec | undefined;
}

/** An id that sorts by time: `20261121T101500Z`. */
export function timestampId(): string {
  return nowIso().replaceAll(/[-:]|\.\d+/g, '');
}

/** What is kept of an instance's folder with each backup, beside its data. */
export const keptFiles = ['password'] as const;

/**
 * Takes a base backup: built in a folder whose name no backup can have, published by one rename when everything in it is
 * whole and synced, and the WAL it needs is in the archive. It is `complete` then, and not yet proven.
 * @throws BACKUP_FAILED, DISK_SPACE, PROGRAM_FAILED
 */
export async function takeBackup(
  operation: Operation,
  installation: Installation,
  record: InstanceRecord,
  options: TakeOptions,
): Promise<Backup> {
  const { places, task, journal } = operation;
  const staging = stagingFolder(places, record.name, options.id);
  const target = backupFolder(places, record.name, options.id);
  assertNew(target, options.id);

  const { codec, segmentBytes } = await withClient(superuserOf(operation, record), async (client) => {
    await assertRoom(client, places.repository);
    return {
      codec: await chooseCodec(client, installation, options.codec),
      segmentBytes: await readSegmentBytes(client),
    };
  });
  journal.intend({ kind: 'folder', path: staging });
  makeFolder(staging);
  const startedAt = nowIso();
  await task.step('base backup', async (step) => {
    await takeBaseBackup(
      installation,
      {
        ...asSuperuser(instancePaths(places, record.name), record),
        target: staging,
        label: options.label ?? `pg-manage ${options.id}`,
        compression: compressionArguments(codec, installation.major),
        progress: step.progress,
      },
      task,
    );
    step.result(`${humanBytes(folderBytes(staging))}, ${codec}`);
  });
  const finishedAt = nowIso();
  const nextXid = await withClient(superuserOf(operation, record), readNextXid);
  const manifest = readManifest(join(staging, 'backup_manifest'));
  keepInstanceFiles(operation, record, staging);
  const backup: Backup = {
    schema: 1,
    id: options.id,
    state: 'complete',
    startedAt,
    finishedAt,
    ...(options.label === undefined ? {} : { label: options.label }),
    ...manifest,
    segmentBytes,
    nextXid,
    compression: codec,
    ...(await describeFiles(staging)),
    instance: record,
    verification: null,
  };
  await task.step('WAL archived', async (step) => await waitForArchive(operation, record, backup, step.progress));
  writeBackup(staging, backup);
  moveForGood(staging, target);
  journal.settle();
  return backup;
}

function superuserOf({ places, task }: Operation, record: InstanceRecord) {
  return { ...asSuperuser(instancePaths(places, record.name), record), signal: task.signal, timeoutMs: 30_000 };
}

function assertNew(target: string, id: string): void {
  if (exists(target)) {
    throw new AppError('BACKUP_FAILED', `there is a backup "${id}" already`, { hint: 'choose another --backup-name' });
  }
}

/** The data, uncompressed, is the most that a backup can come to. */
async function assertRoom(client: Client, repository: string): Promise<void> {
  const { rows } = await client.query<{ bytes: string }>('select sum(pg_database_size(oid)) as bytes from pg_database');
  const needed = Number(rows[0]?.bytes ?? 0);
  const free = freeBytes(repository);
  // Databases compress to a third and better; less room than that is surely too little.
  if (free >= needed / 3) return;
  throw new AppError(
    'DISK_SPACE',
    `${repository} has ${humanBytes(free)} free, a backup needs about ${humanBytes(needed)}`,
    {
      hint: 'free some space, or name another repository with --backups DIR',
    },
  );
}

async function readSegmentBytes(client: Client): Promise<number> {
  const { rows } = await client.query<{ bytes: number }>(
    "select setting::int as bytes from pg_settings where name = 'wal_segment_size'",
  );
  return rows[0]?.bytes ?? 0;
}

/** The first transaction id that nobody has yet; asked when the backup has ended, so that it is of a later transaction. */
async function readNextXid(client: Client): Promise<string> {
  const { rows } = await client.query<{ xid: string }>('select pg_snapshot_xmax(pg_current_snapshot())::text as xid');
  return rows[0]?.xid ?? '';
}

function keepInstanceFiles({ places }: Operation, record: InstanceRecord, staging: string): void {
  const { folder } = instancePaths(places, record.name);
  const kept = join(staging, 'instance');
  makeFolder(kept);
  for (const name of keptFiles) copyFile(join(folder, name), join(kept, name));
  syncFolder(kept);
}

async function describeFiles(folder: string): Promise<Pick<Backup, 'files' | 'sizeBytes'>> {
  const files: Backup['files'] = [];
  for (const name of storedNames(folder)) {
    files.push({ name, sizeBytes: fileSize(join(folder, name)) ?? 0, sha256: await sha256(join(folder, name)) });
  }
  return { files, sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

function storedNames(folder: string): string[] {
  return [
    ...listFolder(folder).filter((name) => name !== 'instance'),
    ...listFolder(join(folder, 'instance')).map((name) => `instance/${name}`),
  ];
}

/**
 * Waits until the archive holds the last segment that the backup needs. The server was told to finish it when the backup
 * ended, so this is short unless archiving fails; then the server's own account of the failure is shown.
 */
async function waitForArchive(
  operation: Operation,
  record: InstanceRecord,
  { stopLsn, timeline, segmentBytes }: Pick<Backup, 'stopLsn' | 'timeline' | 'segmentBytes'>,
  progress: (detail: string) => void,
): Promise<void> {
  const needed = segmentName({ timeline, number: lastSegmentNumber(stopLsn, segmentBytes) }, segmentBytes);
  const file = join(archiveFolderOf(operation.places, record.name), needed);
  const limitMs = 120_000;
  const begunMs = nowMs();
  progress(`waiting for ${needed}`);
  const arrived = await poll(() => (exists(file) ? true : undefined), {
    signal: operation.task.signal,
    timeoutMs: limitMs,
  });
  if (arrived) return;
  const failure = await withClient(superuserOf(operation, record), lastArchiveFailure);
  throw new AppError(
    'BACKUP_FAILED',
    `WAL segment ${needed} was not archived within ${Math.round((nowMs() - begunMs) / 1000)} s`,
    {
      hint: `see why in the server's log: ./manage.ts --action logs --instance ${record.name}`,
      output: failure,
    },
  );
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

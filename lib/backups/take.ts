import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import { exists, fileSize, folderBytes, listFolder, sha256 } from '../host/files.ts';
import { makeFolder } from '../host/folders.ts';
import { copyFile, moveForGood, syncFolder, writeJson } from '../host/for-good.ts';
import { ownConfiguration, plannedConfiguration } from '../instances/configure.ts';
import { asSuperuser } from '../instances/connection.ts';
import { instancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import type { Operation } from '../operation.ts';
import { takeBaseBackup } from '../postgres/basebackup.ts';
import type { Codec } from '../postgres/codecs.ts';
import { readManifest } from '../postgres/manifest.ts';
import type { Installation } from '../postgres/installations.ts';
import type { Lsn } from '../postgres/lsn.ts';
import { type Client, withClient } from '../postgres/sql.ts';
import { lastSegmentNumber, segmentName } from '../postgres/wal.ts';
import { humanBytes } from '../tuning/sizes.ts';
import type { Ask } from './amcheck.ts';
import { archivedAt, waitForArchive } from './archived.ts';
import { tellLiveDamage } from './live-damage.ts';
import { type Backup, backupFolder, stagingFolder, writeBackup } from './catalogue.ts';
import { countCatalogue, eachDatabase, settleCensus } from './census.ts';
import { chooseCodec, compressFile } from './compression.ts';
import { writeHeartbeat } from './heartbeat.ts';
import { askingSettings } from './isolation.ts';
import { preflight } from './preflight.ts';
import { archiveFolderOf } from './repository.ts';

export interface TakeOptions {
  id: string;
  label: string | undefined;
  codec: Codec | undefined;
  /** As pg_basebackup takes it: kilobytes a second, or with the suffix k or M. */
  maxRate: string | undefined;
  pinned: boolean;
  /** Whether a test restore follows, which needs room too. */
  verify: boolean;
}

/** What is kept of an instance's folder with each backup, beside its data. */
export const keptFiles = ['password'] as const;

/** In the data too; kept apart as well, so that they can be read without unpacking it. */
const readableFiles = [
  'postgresql.conf',
  'postgresql.auto.conf',
  plannedConfiguration,
  ownConfiguration,
  'pg_hba.conf',
  'pg_ident.conf',
];

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

  const server = superuserOf(operation, record);
  const ready = await withClient(server, async (client) => ({
    ...(await preflight(client, operation, installation, record, options)),
    codec: await chooseCodec(client, installation, options.codec),
    // The switch to a new segment when the backup ends has the heartbeat archived, at the latest.
    heartbeat: await writeHeartbeat(client, task.signal),
  }));
  const ask = askerOf(operation, record);
  const before = await eachDatabase(ask, countCatalogue);
  journal.intend({ kind: 'folder', path: staging });
  makeFolder(staging);
  const startedAt = nowIso();
  await task.step('base backup', async (step) => {
    try {
      await takeBaseBackup(
        installation,
        {
          ...asSuperuser(instancePaths(places, record.name), record),
          target: staging,
          label: options.label ?? `pg-manage ${options.id}`,
          codec: ready.codec,
          maxRate: options.maxRate,
          progress: step.progress,
        },
        task,
      );
    } catch (error) {
      throw await tellLiveDamage(operation, record, error);
    }
    step.result(`${humanBytes(folderBytes(staging))}, ${ready.codec}`);
  });
  const finishedAt = nowIso();
  const manifest = readManifest(join(staging, 'backup_manifest'));
  keepInstanceFiles(operation, record, staging);
  // The server is asked while what it gave is compressed and hashed.
  const asked = async () => ({
    nextXid: await withClient(server, readNextXid),
    census: settleCensus(before, await eachDatabase(ask, countCatalogue)),
  });
  const [{ nextXid, census }, files] = await Promise.all([
    asked(),
    storeAndArchive(operation, record, { ...manifest, ...ready }, staging),
  ]);
  const archive = archiveFolderOf(places, record.name);
  const { receivedAt, ...heartbeat } = ready.heartbeat;
  const backup: Backup = {
    schema: 1,
    id: options.id,
    state: 'complete',
    startedAt,
    finishedAt,
    ...(options.label === undefined ? {} : { label: options.label }),
    ...(options.pinned ? { pinned: true } : {}),
    ...manifest,
    segmentBytes: ready.segmentBytes,
    nextXid,
    compression: ready.codec,
    heartbeat: { ...heartbeat, archivedAt: receivedAt ?? archivedAt(archive, heartbeat.segment) ?? nowIso() },
    census,
    files,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    instance: record,
    verification: null,
  };
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

function askerOf(operation: Operation, record: InstanceRecord): Ask {
  const server = superuserOf(operation, record);
  return async (database, question) => await withClient({ ...server, database, settings: askingSettings }, question);
}

interface Taken {
  stopLsn: Lsn;
  timeline: number;
  segmentBytes: number;
  codec: Codec;
}

/** Compresses and hashes what is stored while the server still archives the last of the WAL that the backup needs. */
async function storeAndArchive(
  operation: Operation,
  record: InstanceRecord,
  { stopLsn, timeline, segmentBytes, codec }: Taken,
  staging: string,
): Promise<Backup['files']> {
  const { places, task } = operation;
  const segment = segmentName({ timeline, number: lastSegmentNumber(stopLsn, segmentBytes) }, segmentBytes);
  const awaited = { archive: archiveFolderOf(places, record.name), segment };
  const store = async (): Promise<Backup['files']> => {
    // What the server compresses does not hold the WAL, which comes by a connection of its own.
    const wal = join(staging, 'pg_wal.tar');
    if (exists(wal)) await compressFile(wal, codec, task);
    return await describeFiles(staging);
  };
  const archived = task.step('WAL archived', async (step) => {
    await waitForArchive(task, superuserOf(operation, record), awaited, step.progress);
  });
  const [files] = await Promise.all([store(), archived]);
  return files;
}

/** The first transaction id that nobody has yet; asked when the backup has ended, so that it is of a later transaction. */
async function readNextXid(client: Client): Promise<string> {
  const { rows } = await client.query<{ xid: string }>('select pg_snapshot_xmax(pg_current_snapshot())::text as xid');
  return rows[0]?.xid ?? '';
}

function keepInstanceFiles({ places }: Operation, record: InstanceRecord, staging: string): void {
  const { folder, data } = instancePaths(places, record.name);
  const kept = join(staging, 'instance');
  makeFolder(kept);
  for (const name of keptFiles) copyFile(join(folder, name), join(kept, name));
  for (const name of readableFiles) if (exists(join(data, name))) copyFile(join(data, name), join(kept, name));
  writeJson(join(kept, 'instance.json'), record);
  syncFolder(kept);
}

/** What is stored in a backup's folder, with the hash of each file. */
export async function describeFiles(folder: string): Promise<Backup['files']> {
  const files: Backup['files'] = [];
  for (const name of storedNames(folder)) {
    files.push({ name, sizeBytes: fileSize(join(folder, name)) ?? 0, sha256: await sha256(join(folder, name)) });
  }
  return files;
}

function storedNames(folder: string): string[] {
  return [
    ...listFolder(folder).filter((name) => name !== 'instance'),
    ...listFolder(join(folder, 'instance')).map((name) => `instance/${name}`),
  ];
}

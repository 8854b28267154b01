import { AppError } from '../errors.ts';
import { freeBytes, isFolder, onOneDisk } from '../host/files.ts';
import { ensureFolder } from '../host/folders.ts';
import type { Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import type { Operation } from '../operation.ts';
import type { Installation } from '../postgres/installations.ts';
import type { Client } from '../postgres/sql.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { assertThisMachine } from './machine-mark.ts';
import { archiveFolderOf, archiveOwner } from './repository.ts';

interface Facts {
  bytes: number;
  segmentBytes: number;
  major: number;
  recovering: boolean;
  archiving: boolean;
  checksums: boolean;
  senders: number;
  sendersUsed: number;
  slots: number;
  slotsUsed: number;
}

/**
 * Sees to it that a backup can succeed before anything is written.
 * @throws DISK_SPACE, BACKUP_FAILED with what stands in the way
 */
export async function preflight(
  client: Client,
  { places, task }: Operation,
  installation: Installation,
  record: InstanceRecord,
  options: { verify: boolean },
): Promise<Pick<Facts, 'segmentBytes'>> {
  const facts = await readFacts(client);
  for (const [message, hint] of obstacles(facts, installation, record)) {
    throw new AppError('BACKUP_FAILED', message, { hint });
  }
  assertArchive(places, record);
  assertRoom(places, facts.bytes, options.verify);
  if (!facts.checksums) {
    task.warn(
      `${record.name} has no data checksums: a damaged page is copied without being noticed (pg_checksums --enable)`,
    );
  }
  return { segmentBytes: facts.segmentBytes };
}

/** What keeps pg_basebackup from working, and what to do about it: pure. */
export function obstacles(
  facts: Facts,
  { major }: Pick<Installation, 'major'>,
  { name }: { name: string },
): [string, string][] {
  const { senders, sendersUsed, slots, slotsUsed } = facts;
  const all: [boolean, string, string][] = [
    [facts.major !== major, `the server is PostgreSQL ${facts.major}, the programs are ${major}`, 'leave out --bindir'],
    [facts.recovering, `${name} is in recovery`, 'wait until it has recovered: ./manage.ts --action status'],
    [
      !facts.archiving,
      'archive_mode is off: the WAL that a backup needs would not be kept',
      `./manage.ts --action restart --instance ${name} sets it`,
    ],
    [
      senders - sendersUsed < 2,
      `a backup needs two WAL senders, ${sendersUsed} of ${senders} are taken`,
      'raise max_wal_senders, or see who has them: select * from pg_stat_replication',
    ],
    [
      slots - slotsUsed < 1,
      `a backup needs a replication slot, ${slotsUsed} of ${slots} are taken`,
      'raise max_replication_slots, or drop one that is not needed: select * from pg_replication_slots',
    ],
  ];
  return all.flatMap(([stands, message, hint]): [string, string][] => (stands ? [[message, hint]] : []));
}

async function readFacts(client: Client): Promise<Facts> {
  const { rows } = await client.query<Facts>(
    `select (select sum(pg_tablespace_size(oid)) from pg_tablespace)::float8 as bytes,
            (select setting::int from pg_settings where name = 'wal_segment_size') as "segmentBytes",
            current_setting('server_version_num')::int / 10000 as major,
            pg_is_in_recovery() as recovering,
            current_setting('archive_mode') <> 'off' as archiving,
            current_setting('data_checksums') = 'on' as checksums,
            current_setting('max_wal_senders')::int as senders,
            (select count(*)::int from pg_stat_activity where backend_type = 'walsender') as "sendersUsed",
            current_setting('max_replication_slots')::int as slots,
            (select count(*)::int from pg_replication_slots) as "slotsUsed"`,
  );
  const facts = rows[0];
  if (facts === undefined) throw new Error('a query without a table has given no row');
  return facts;
}

/** @throws BACKUP_FAILED when the instance's place in the repository is gone, or is another's; REPOSITORY_ELSEWHERE */
export function assertArchive(places: Places, { name, id }: InstanceRecord): void {
  const archive = archiveFolderOf(places, name);
  if (!isFolder(archive)) {
    throw new AppError('BACKUP_FAILED', `the archive folder ${archive} is missing`, {
      hint: 'is the repository mounted? see: ./manage.ts --action diagnose',
    });
  }
  assertThisMachine(places, name);
  const owner = archiveOwner(archive);
  if (owner === id) return;
  throw new AppError('BACKUP_FAILED', `the archive ${archive} belongs to another instance (${owner ?? 'unknown'})`, {
    hint: `this one is ${id}: name its repository with --backups DIR`,
  });
}

/** Databases compress to a third and better; less room than that is surely too little. A test restore is as large as the data. @throws DISK_SPACE */
export function assertRoom({ repository, root, scratch }: Places, bytes: number, verify: boolean): void {
  const stored = bytes / 3;
  const free = freeBytes(repository);
  if (free < stored) {
    throw new AppError(
      'DISK_SPACE',
      `${repository} has ${humanBytes(free)} free, a backup needs about ${humanBytes(stored)}`,
      {
        hint: 'free some space, or name another repository with --backups DIR',
      },
    );
  }
  if (!verify) return;
  ensureFolder(scratch);
  const needed = bytes * 1.05 + (onOneDisk(repository, scratch) ? stored : 0);
  const freeForTrial = freeBytes(scratch);
  if (freeForTrial >= needed) return;
  throw new AppError(
    'DISK_SPACE',
    `${root} has ${humanBytes(freeForTrial)} free, the test restore of the backup needs about ${humanBytes(needed)}`,
    { hint: 'free some space (quarantined data first), or take it unproven with --no-verify' },
  );
}

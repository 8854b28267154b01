import { join } from 'node:path';
import { listFolder } from '../host/files.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { lsnBytes, parseLsn } from '../postgres/lsn.ts';
import type { Client } from '../postgres/sql.ts';
import { defaultSegmentBytes, parseSegmentName } from '../postgres/wal.ts';
import { askStream, type Stream } from './stream.ts';
import { archiveFolderOf } from './repository.ts';
import { readArchive } from './wal-check.ts';

/** What a server says of its archiving; null for what has not happened yet. */
export interface ArchiverWords {
  /** Null during a recovery. */
  position: string | null;
  /** The segment being written; null during a recovery. */
  segment: string | null;
  failures: number;
  lastFailedAt: string | null;
  lastArchivedAt: string | null;
  /** How its WAL is received as it is written; absent where no slot is for that. */
  stream?: Stream | undefined;
}

/** How far the archive is behind its server. */
export interface Archiving {
  /** How WAL comes into the repository: whole segments by the server's command, or also as it is written. */
  mode: 'command' | 'streaming';
  /** What a loss of the disk would cost now: from the end of the newest archived segment, or of what is received, to where the server writes. Null where nothing of its timeline is archived. */
  lagBytes: number | null;
  /** WAL files that wait to be archived. A command that ends above 125 counts no failure, but makes files wait. */
  waiting: number;
  failures: number | null;
  lastFailedAt: string | null;
  lastArchivedAt: string | null;
}

export async function askArchiver(client: Client): Promise<ArchiverWords | undefined> {
  const moment = (column: string): string =>
    `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as`;
  const { rows } = await client.query<ArchiverWords>(
    `select case when not pg_is_in_recovery() then pg_current_wal_lsn()::text end as position,
            case when not pg_is_in_recovery() then pg_walfile_name(pg_current_wal_lsn()) end as segment,
            failed_count::int as failures, ${moment('last_failed_time')} "lastFailedAt",
            ${moment('last_archived_time')} "lastArchivedAt"
       from pg_stat_archiver`,
  );
  const [words] = rows;
  return words && { ...words, stream: await askStream(client) };
}

/** @param words what the server says; undefined for one that does not run or does not answer */
export function observeArchiving(
  places: Places,
  { name, archive }: Pick<InstanceRecord, 'name' | 'archive'>,
  words: ArchiverWords | undefined,
): Archiving {
  const status = join(instancePaths(places, name).data, 'pg_wal', 'archive_status');
  const received = words?.stream?.streaming === true ? words.stream.lagBytes : null;
  return {
    mode: archive ?? 'command',
    lagBytes: received ?? (words === undefined ? null : lagOf(archiveFolderOf(places, name), words)),
    waiting: listFolder(status).filter((file) => file.endsWith('.ready')).length,
    failures: words?.failures ?? null,
    lastFailedAt: words?.lastFailedAt ?? null,
    lastArchivedAt: words?.lastArchivedAt ?? null,
  };
}

function lagOf(archive: string, { position, segment }: ArchiverWords): number | null {
  const writing = parseSegmentName(segment ?? '', defaultSegmentBytes);
  if (position === null || writing === undefined) return null;
  const mine = readArchive(archive, defaultSegmentBytes).find(({ timeline }) => timeline === writing.timeline);
  const newest = mine?.numbers.at(-1);
  if (newest === undefined) return null;
  return Math.max(0, Number(lsnBytes(parseLsn(position)) - (newest + 1n) * BigInt(defaultSegmentBytes)));
}

import { parseLsn } from './lsn.ts';
import type { Client } from './sql.ts';
import { lastSegmentNumber, segmentName } from './wal.ts';

/**
 * The segment that the last byte before a position lies in. On the border of two, `pg_walfile_name` says so up to PostgreSQL
 * 16, and names the segment behind it from 17 on (release notes), which may not come for hours.
 */
export async function segmentBefore(
  client: Client,
  position: 'pg_switch_wal()' | 'pg_current_wal_lsn()',
): Promise<string> {
  const { rows } = await client.query<{ lsn: string; timeline: string; bytes: number }>(
    `select lsn::text as lsn, substr(pg_walfile_name(lsn), 1, 8) as timeline,
            (select setting::int from pg_settings where name = 'wal_segment_size') as bytes
       from ${position} as lsn`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a function in the place of a table has given no row');
  const number = lastSegmentNumber(parseLsn(row.lsn), row.bytes);
  return segmentName({ timeline: Number.parseInt(row.timeline, 16), number }, row.bytes);
}

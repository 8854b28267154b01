import { type Lsn, lsnAt } from './lsn.ts';
import type { WalRecord } from './wal-reader.ts';

/** A record that makes a tablespace in a folder, wherever it is replayed. */
export interface TablespaceMade {
  lsn: Lsn;
  /** The record before it: a recovery that ends there does not replay this one. */
  after: Lsn;
  folder: string;
}

/** Numbers of resource managers (PostgreSQL's rmgrlist.h). */
const managers = { xlog: 0, transaction: 1, tablespace: 5 } as const;

/** One that lies in the data directory itself (allow_in_place_tablespaces) has no folder, and is nobody else's. */
export function tablespaceMade(record: WalRecord): TablespaceMade | undefined {
  const isCreate = record.resourceManager === managers.tablespace && record.info === 0;
  const data = isCreate ? mainData(record.bytes) : undefined;
  // The number of the tablespace, then the folder as a C string, which end the record (tablespace.h).
  const folder = data?.toString('utf8', 4, data.indexOf(0, 4)) ?? '';
  return folder === '' ? undefined : { lsn: record.lsn, after: lsnAt(record.bytes.readBigUInt64LE(8)), folder };
}

/** The end of a transaction that was not prepared: its id, as far as 32 bits hold it, and when it was, in milliseconds since 1970. */
export function transactionEnd(record: WalRecord): { xid: number; atMs: number } | undefined {
  const kind = record.info & 0x70; // XLOG_XACT_OPMASK in xact.h
  const [commit, abort] = [0x00, 0x20];
  if (record.resourceManager !== managers.transaction || (kind !== commit && kind !== abort)) return undefined;
  const microseconds = mainData(record.bytes)?.readBigInt64LE(0);
  if (microseconds === undefined) return undefined;
  return { xid: record.bytes.readUInt32LE(4), atMs: Number(microseconds / 1000n) + Date.UTC(2000, 0, 1) };
}

/** The name of a restore point: a moment, then a C string (xlog_internal.h). */
export function restorePointMade(record: WalRecord): string | undefined {
  if (record.resourceManager !== managers.xlog || record.info !== 0x70) return undefined;
  const data = mainData(record.bytes);
  return data?.toString('utf8', 8, data.indexOf(0, 8));
}

/** What may stand between a record's header and its data, with the bytes that follow each mark (xlogrecord.h). */
const marks = { dataShort: 255, dataLong: 254, origin: 253, topTransaction: 252 } as const;

/** The data of a record that is about no blocks. */
function mainData(record: Buffer): Buffer | undefined {
  let at = 24;
  if (record[at] === marks.origin) at += 3;
  if (record[at] === marks.topTransaction) at += 5;
  if (record[at] === marks.dataShort) return record.subarray(at + 2);
  return record[at] === marks.dataLong ? record.subarray(at + 5) : undefined;
}

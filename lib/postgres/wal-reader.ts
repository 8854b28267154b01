import { join } from 'node:path';
import { fileSize, listFolder, readBytes } from '../host/files.ts';
import { pause } from '../host/wait.ts';
import { crc32c } from './crc32c.ts';
import { lsnAt, type Lsn, lsnBytes } from './lsn.ts';
import { defaultSegmentBytes, parseSegmentName, segmentName } from './wal.ts';

export interface WalReach {
  /** The folder of the segments. */
  folder: string;
  timeline: number;
  from: Lsn;
  /** Where to end; at the end of what is there when left out. */
  to?: Lsn;
}

/** One record: its header, and what it holds of blocks and data. */
export interface WalRecord {
  lsn: Lsn;
  resourceManager: number;
  info: number;
  bytes: Buffer;
}

/** Where the reading has ended. */
export interface WalEnd {
  at: Lsn;
  /** The segment that is not there, where that is why. */
  missing?: string;
  /** What is wrong with the WAL there, in PostgreSQL's words as far as it has some. */
  damage?: string;
}

const pageBytes = 8192;
const [shortHeader, longHeader] = [24, 40];
const recordHeader = 24;
/** Flags of a page's header (PostgreSQL's xlog_internal.h). */
const page = { firstIsContinued: 0x1, longHeader: 0x2, overwritesContinued: 0x8 } as const;
class End extends Error {
  readonly end: Omit<WalEnd, 'at'>;

  constructor(end: Omit<WalEnd, 'at'>) {
    super(end.damage ?? `${end.missing} is missing`);
    this.end = end;
  }
}

/**
 * Reads WAL record by record along one timeline, each proven by its checksum, as pg_waldump does where that is not installed
 * (PostgreSQL's xlogreader.c and xlogrecord.h; the same from 13 to 18 on little-endian machines).
 */
export async function readWal(reach: WalReach, see: (record: WalRecord) => void, signal: AbortSignal): Promise<WalEnd> {
  const segments = new Segments(reach.folder, reach.timeline);
  const from = Number(lsnBytes(reach.from));
  const to = reach.to === undefined ? Infinity : Number(lsnBytes(reach.to));
  let at = from;
  try {
    at = firstRecordOn(segments, from - (from % pageBytes));
    while (at < to) {
      if (segments.turned()) await pause(0, signal); // a segment takes some tens of milliseconds
      const { start, end, bytes } = readRecord(segments, at);
      if (start >= to) break;
      const record = {
        lsn: lsnAt(BigInt(start)),
        resourceManager: bytes[17] ?? 0,
        info: (bytes[16] ?? 0) & 0xf0,
        bytes,
      };
      if (start >= from) see(record);
      at = isSwitch(record) ? Math.ceil(end / segments.segmentBytes) * segments.segmentBytes : end;
    }
    return { at: lsnAt(BigInt(at)) };
  } catch (error) {
    if (!(error instanceof End)) throw error;
    return { at: lsnAt(BigInt(at)), ...error.end };
  }
}

/** After it a segment is left as it is, so that it can be archived: XLOG_SWITCH of the manager XLOG (pg_control.h). */
function isSwitch({ resourceManager, info }: WalRecord): boolean {
  return resourceManager === 0 && info === 0x40;
}

/** The segments of one timeline, a page at a time; the whole of the segment that is being read is held. */
class Segments {
  readonly segmentBytes: number;
  private readonly folder: string;
  private readonly timeline: number;
  private held: { number: number; bytes: Buffer } | undefined;
  private fresh = false;

  constructor(folder: string, timeline: number) {
    [this.folder, this.timeline] = [folder, timeline];
    const sample = listFolder(folder).find((name) => parseSegmentName(name, defaultSegmentBytes) !== undefined);
    this.segmentBytes = (sample && fileSize(join(folder, sample))) || defaultSegmentBytes;
  }

  /** True once for each segment that was read in. */
  turned(): boolean {
    const { fresh } = this;
    this.fresh = false;
    return fresh;
  }

  /** @throws End where it is not there or no page of this place */
  page(address: number): { bytes: Buffer; flags: number; remaining: number; header: number } {
    const number = Math.floor(address / this.segmentBytes);
    if (this.held?.number !== number) this.held = { number, bytes: this.load(number) };
    const offset = address % this.segmentBytes;
    const bytes = this.held.bytes.subarray(offset, offset + pageBytes);
    const name = segmentName({ timeline: this.timeline, number: BigInt(number) }, this.segmentBytes);
    // 0xD1 begins the magic number of every release, which counts up below it.
    if (bytes.length < pageBytes || bytes[1] !== 0xd1 || Number(bytes.readBigUInt64LE(8)) !== address) {
      throw new End({ damage: `invalid page in WAL segment ${name}, offset ${offset}` });
    }
    const flags = bytes.readUInt16LE(2);
    const header = (flags & page.longHeader) === 0 ? shortHeader : longHeader;
    return { bytes, flags, remaining: bytes.readUInt32LE(16), header };
  }

  private load(number: number): Buffer {
    const name = segmentName({ timeline: this.timeline, number: BigInt(number) }, this.segmentBytes);
    const bytes = readBytes(join(this.folder, name), 0, this.segmentBytes);
    if (bytes === undefined) throw new End({ missing: name });
    this.fresh = true;
    return bytes;
  }
}

/** Where the first record begins on a page or after it: a page may begin with the end of a record of earlier pages. */
function firstRecordOn(segments: Segments, address: number): number {
  const { flags, remaining, header } = segments.page(address);
  const rest = (flags & page.firstIsContinued) === 0 ? 0 : align(remaining);
  if (rest < pageBytes - header) return address + header + rest;
  return firstRecordOn(segments, address + pageBytes);
}

interface Found {
  start: number;
  end: number;
  bytes: Buffer;
}

/** @throws End where there is no whole record */
function readRecord(segments: Segments, at: number): Found {
  let address = at - (at % pageBytes);
  let { bytes: pageNow, flags, header } = segments.page(address);
  let offset = at - address;
  if (offset === 0) {
    if ((flags & page.firstIsContinued) !== 0) throw damaged(at, 'unexpected end of an earlier record');
    offset = header;
  }
  const start = address + offset;
  const length = pageNow.readUInt32LE(offset);
  if (length < recordHeader) throw damaged(start, `invalid record length: expected at least 24, got ${length}`);
  const parts = [pageNow.subarray(offset, Math.min(offset + length, pageBytes))];
  let left = length - (parts[0]?.length ?? 0);
  let end = offset + length - left;
  while (left > 0) {
    address += pageBytes;
    const next = segments.page(address);
    // The server crashed in the middle of this record, and went on from here when it had recovered.
    if ((next.flags & page.overwritesContinued) !== 0) return readRecord(segments, address);
    if ((next.flags & page.firstIsContinued) === 0) throw damaged(start, 'the rest of the record is not there');
    if (next.remaining !== left)
      throw damaged(start, `the record goes on with ${next.remaining} bytes instead of ${left}`);
    ({ bytes: pageNow, flags, header } = next);
    const part = pageNow.subarray(header, Math.min(header + left, pageBytes));
    parts.push(part);
    left -= part.length;
    end = header + part.length;
  }
  const bytes = Buffer.concat(parts);
  const sum = crc32c(bytes.subarray(0, 20), crc32c(bytes.subarray(recordHeader)));
  if (sum !== bytes.readUInt32LE(20)) throw damaged(start, 'incorrect resource manager data checksum');
  return { start, end: address + align(end), bytes };
}

function damaged(at: number, what: string): End {
  return new End({ damage: `error in WAL record at ${lsnAt(BigInt(at))}: ${what}` });
}

/** Records and what follows them begin at multiples of eight bytes. */
function align(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

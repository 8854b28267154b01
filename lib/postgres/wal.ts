import { type Lsn, lsnBytes } from './lsn.ts';

/** The default of initdb, which is how all our instances are made; the header of each segment is checked against it. */
export const defaultSegmentBytes = 16 * 1024 * 1024;

const segmentPattern = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;

export interface SegmentName {
  timeline: number;
  /** The segment's number, counted from the beginning of the WAL. */
  number: bigint;
}

/** Reads the name of a whole WAL segment; undefined for history, backup label, partial and other files. */
export function parseSegmentName(name: string, segmentBytes: number): SegmentName | undefined {
  const match = segmentPattern.exec(name);
  if (match === null) return undefined;
  const [timeline, high, low] = match.slice(1).map((part) => BigInt(`0x${part}`)) as [bigint, bigint, bigint];
  return { timeline: Number(timeline), number: high * segmentsPerId(segmentBytes) + low };
}

export function segmentName({ timeline, number }: SegmentName, segmentBytes: number): string {
  const perId = segmentsPerId(segmentBytes);
  return [BigInt(timeline), number / perId, number % perId].map(hex8).join('');
}

/** The number of the segment that holds a position. A position on a boundary belongs to the segment that begins there. */
export function segmentNumber(lsn: Lsn, segmentBytes: number): bigint {
  return lsnBytes(lsn) / BigInt(segmentBytes);
}

/** The number of the last segment needed to reach a position: on a boundary, the one that ends there. */
export function lastSegmentNumber(lsn: Lsn, segmentBytes: number): bigint {
  return (lsnBytes(lsn) - 1n) / BigInt(segmentBytes);
}

function segmentsPerId(segmentBytes: number): bigint {
  return 0x1_0000_0000n / BigInt(segmentBytes);
}

function hex8(value: bigint): string {
  return value.toString(16).toUpperCase().padStart(8, '0');
}

export interface SegmentHeader {
  timeline: number;
  /** The position that the segment begins at, in bytes. */
  pageAddress: bigint;
  systemIdentifier: string;
  segmentBytes: number;
}

/**
 * Reads the long header of a segment's first page: XLogLongPageHeaderData in PostgreSQL's xlog_internal.h, unchanged since
 * 9.3 on little-endian machines. Undefined when the bytes are no such header.
 */
export function parseSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  const longHeader = 0x0002;
  if (bytes.length < 40 || (bytes.readUInt16LE(2) & longHeader) === 0) return undefined;
  return {
    timeline: bytes.readUInt32LE(4),
    pageAddress: bytes.readBigUInt64LE(8),
    systemIdentifier: bytes.readBigUInt64LE(24).toString(),
    segmentBytes: bytes.readUInt32LE(32),
  };
}

/** One branch point of a `.history` file: the parent timeline, and the position where the child left it. */
export interface BranchPoint {
  timeline: number;
  leftAt: Lsn;
}

/** Reads a timeline history file (PostgreSQL's timeline.c): the ancestors of its timeline, oldest first. */
export function parseHistory(text: string): BranchPoint[] {
  return text
    .split('\n')
    .map((line) => /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line))
    .flatMap((match) => (match ? [{ timeline: Number(match[1]), leftAt: match[2] as Lsn }] : []));
}

export function historyName(timeline: number): string {
  return `${hex8(BigInt(timeline))}.history`;
}

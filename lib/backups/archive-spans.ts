import { type Lsn, lsnAt, lsnBytes } from '../postgres/lsn.ts';
import { segmentName, segmentNumber } from '../postgres/wal.ts';
import type { ArchivedTimeline, WalSpan } from './wal-check.ts';

/** Segments of one timeline that follow each other, both ends included. */
export interface SegmentRange {
  timeline: number;
  first: bigint;
  last: bigint;
}

/** The WAL between a backup's end and the end of a timeline, as far as the archive has it. */
export interface ArchiveSpans {
  /** What is there, in the order in which a recovery asks for it. */
  spans: SegmentRange[];
  /** What is missing between; behind the newest segment nothing can be seen to be missing. */
  gaps: SegmentRange[];
}

/**
 * The WAL that a recovery from a backup along one timeline asks the archive for, from the segment in which the backup ends
 * (those before it are in the backup itself). Pure: it is given the listing of the archive.
 */
export function spansAlong(span: WalSpan, timeline: number, archive: readonly ArchivedTimeline[]): ArchiveSpans {
  const found: ArchiveSpans = { spans: [], gaps: [] };
  for (const leg of legsAlong(span, timeline, archive)) {
    const numbers = archive.find((one) => one.timeline === leg.timeline)?.numbers ?? [];
    const last = leg.last ?? numbers.at(-1) ?? leg.first - 1n;
    let next = leg.first;
    for (const number of numbers) {
      if (number < next || number > last) continue;
      if (number > next) found.gaps.push({ timeline: leg.timeline, first: next, last: number - 1n });
      push(found.spans, leg.timeline, number);
      next = number + 1n;
    }
    if (next <= last) found.gaps.push({ timeline: leg.timeline, first: next, last });
  }
  return found;
}

interface Leg {
  timeline: number;
  first: bigint;
  /** Absent for the last one, which goes on. */
  last?: bigint;
}

function legsAlong(
  { timeline: begun, stopLsn, segmentBytes }: WalSpan,
  timeline: number,
  archive: readonly ArchivedTimeline[],
): Leg[] {
  const ancestors = archive.find((one) => one.timeline === timeline)?.ancestors ?? [];
  const from = ancestors.findIndex((branch) => branch.timeline === begun);
  const legs: Leg[] = [];
  let first = segmentNumber(stopLsn, segmentBytes);
  for (const branch of from < 0 ? [] : ancestors.slice(from)) {
    // A child begins with a copy of the segment in which it left its parent.
    const copied = segmentNumber(branch.leftAt, segmentBytes);
    legs.push({ timeline: branch.timeline, first, last: copied - 1n });
    first = copied;
  }
  return [...legs, { timeline, first }];
}

function push(ranges: SegmentRange[], timeline: number, number: bigint): void {
  const open = ranges.at(-1);
  if (open?.timeline === timeline && open.last === number - 1n) open.last = number;
  else ranges.push({ timeline, first: number, last: number });
}

export function countSegments(ranges: readonly SegmentRange[]): number {
  return ranges.reduce((sum, { first, last }) => sum + Number(last - first + 1n), 0);
}

/** `000000010000000000000004`, or `000000010000000000000004 to …06`. */
export function describeRange({ timeline, first, last }: SegmentRange, segmentBytes: number): string {
  const name = segmentName({ timeline, number: first }, segmentBytes);
  return first === last ? name : `${name} to ${segmentName({ timeline, number: last }, segmentBytes)}`;
}

/** Where a range begins. */
export function rangeStart({ first }: SegmentRange, segmentBytes: number): Lsn {
  return lsnAt(first * BigInt(segmentBytes));
}

/** True when a range lies, whole or in part, before a position. */
export function beginsBefore(range: SegmentRange, lsn: Lsn, segmentBytes: number): boolean {
  return lsnBytes(rangeStart(range, segmentBytes)) < lsnBytes(lsn);
}

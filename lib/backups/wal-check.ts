import { basename, join } from 'node:path';
import { listFolder, readText } from '../host/files.ts';
import { compareLsn, type Lsn } from '../postgres/lsn.ts';
import {
  type BranchPoint,
  historyName,
  lastSegmentNumber,
  parseHistory,
  parseSegmentHeader,
  parseSegmentName,
  segmentName,
  segmentNumber,
} from '../postgres/wal.ts';
import { findStored, inspectStored, parseStoredSegment } from './stored-wal.ts';

export interface WalSpan {
  timeline: number;
  startLsn: Lsn;
  stopLsn: Lsn;
  segmentBytes: number;
}

export interface ArchivedTimeline {
  timeline: number;
  /** Where the timeline left each of its ancestors. */
  ancestors: BranchPoint[];
  /** The numbers of its segments, in order. */
  numbers: bigint[];
}

/** What the archive holds of WAL: whole segments by timeline, in order. */
export function readArchive(folder: string, segmentBytes: number): ArchivedTimeline[] {
  const byTimeline = new Map<number, bigint[]>();
  for (const name of listFolder(folder)) {
    // A timeline whose first segment is still being written is there by its history alone.
    const begun = /^([0-9A-F]{8})\.history$/.exec(name)?.[1];
    if (begun !== undefined) byTimeline.set(Number.parseInt(begun, 16), []);
    const segment = parseStoredSegment(name, segmentBytes);
    if (segment === undefined) continue;
    // Its file may be there twice, the names next to each other: plain, and compressed.
    const numbers = byTimeline.get(segment.timeline);
    if (numbers === undefined) byTimeline.set(segment.timeline, [segment.number]);
    else if (numbers.at(-1) !== segment.number) numbers.push(segment.number);
  }
  return [...byTimeline]
    .map(([timeline, numbers]) => ({
      timeline,
      ancestors: parseHistory(readText(join(folder, historyName(timeline))) ?? ''),
      numbers: numbers.sort((a, b) => (a < b ? -1 : 1)),
    }))
    .sort((a, b) => a.timeline - b.timeline);
}

/**
 * The segments that a recovery from a backup to the newest WAL can ask for: from the backup's start to the last one archived
 * on its own timeline, and on each timeline that branched off after it, from the branch on. Those not in the archive are gaps.
 */
export function findGaps(span: WalSpan, archive: readonly ArchivedTimeline[]): { needed: string[]; missing: string[] } {
  const needed: string[] = [];
  const missing: string[] = [];
  for (const [timeline, { first, last }] of spansWanted(span, archive)) {
    const numbers = archive.find((one) => one.timeline === timeline)?.numbers ?? [];
    const have = new Set(numbers);
    const newest = numbers.at(-1) ?? last;
    for (let number = first; number <= (newest > last ? newest : last); number++) {
      (have.has(number) ? needed : missing).push(segmentName({ timeline, number }, span.segmentBytes));
    }
  }
  return { needed, missing };
}

/** By timeline: the first segment asked for, and the last that must be there whatever the archive holds. */
function spansWanted(
  span: WalSpan,
  archive: readonly ArchivedTimeline[],
): Map<number, { first: bigint; last: bigint }> {
  const { segmentBytes } = span;
  const wanted = new Map<number, { first: bigint; last: bigint }>();
  const want = (timeline: number, first: bigint, last: bigint): void => {
    const known = wanted.get(timeline) ?? { first, last };
    wanted.set(timeline, {
      first: first < known.first ? first : known.first,
      last: last > known.last ? last : known.last,
    });
  };
  const start = segmentNumber(span.startLsn, segmentBytes);
  want(span.timeline, start, lastSegmentNumber(span.stopLsn, segmentBytes));
  for (const { timeline, ancestors } of archive) {
    const way = ancestors.slice(ancestors.findIndex((branch) => branch.timeline === span.timeline));
    const left = way[0];
    if (left?.timeline !== span.timeline || compareLsn(left.leftAt, span.stopLsn) < 0) continue;
    let first = start;
    for (const branch of way) {
      // A child begins with a copy of the segment in which it left its parent.
      const copied = segmentNumber(branch.leftAt, segmentBytes);
      want(branch.timeline, first, copied - 1n);
      first = copied;
    }
    want(timeline, first, first - 1n);
  }
  return wanted;
}

/** Where segments are, and what they must be. */
export interface SegmentSource {
  folder: string;
  segmentBytes: number;
  systemIdentifier: string;
}

/**
 * Looks at each segment's size and header, and reads what is compressed to its end: a cut, damaged or foreign one is named,
 * with what is wrong with it.
 */
export async function findDamaged(
  source: SegmentSource,
  names: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const damaged: string[] = [];
  for (const name of names) {
    const file = findStored(source.folder, name);
    const wrong =
      file === undefined ? `has 0 bytes instead of ${source.segmentBytes}` : await look(file, name, source, signal);
    if (wrong !== undefined) damaged.push(`${basename(file ?? name)} ${wrong}`);
  }
  return damaged;
}

async function look(
  file: string,
  name: string,
  { segmentBytes, systemIdentifier }: SegmentSource,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { sizeBytes, head, damage } = await inspectStored(file, signal);
  if (damage !== undefined) return `is damaged: ${damage}`;
  if (sizeBytes !== segmentBytes) return `has ${sizeBytes} bytes instead of ${segmentBytes}`;
  const header = parseSegmentHeader(head);
  if (header === undefined) return 'has no WAL header';
  if (header.systemIdentifier !== systemIdentifier) return 'is WAL of another database system';
  const wanted = parseSegmentName(name, segmentBytes);
  const moved = wanted !== undefined && header.pageAddress !== wanted.number * BigInt(segmentBytes);
  return moved ? 'holds the WAL of another segment' : undefined;
}

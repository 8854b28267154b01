import { join } from 'node:path';
import { fileSize, listFolder, readBytes, readText } from '../host/files.ts';
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
    const segment = parseSegmentName(name, segmentBytes);
    if (segment === undefined) continue;
    const numbers = byTimeline.get(segment.timeline);
    if (numbers === undefined) byTimeline.set(segment.timeline, [segment.number]);
    else numbers.push(segment.number);
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

/** Looks at each segment's size and header: a cut or foreign one is named, with what is wrong with it. */
export function findDamaged(
  folder: string,
  names: readonly string[],
  segmentBytes: number,
  systemIdentifier: string,
): string[] {
  return names.flatMap((name) => {
    const file = join(folder, name);
    const size = fileSize(file);
    if (size !== segmentBytes) return `${name} has ${size ?? 0} bytes instead of ${segmentBytes}`;
    const header = parseSegmentHeader(readBytes(file, 0, 40) ?? Buffer.alloc(0));
    if (header === undefined) return `${name} has no WAL header`;
    if (header.systemIdentifier !== systemIdentifier) return `${name} is WAL of another database system`;
    const wanted = parseSegmentName(name, segmentBytes);
    if (wanted !== undefined && header.pageAddress !== wanted.number * BigInt(segmentBytes)) {
      return `${name} holds the WAL of another segment`;
    }
    return [];
  });
}

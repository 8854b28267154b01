import { join } from 'node:path';
import { fileSize, listFolder, readBytes, readText } from '../host/files.ts';
import { type Lsn } from '../postgres/lsn.ts';
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
    const segment = parseSegmentName(name, segmentBytes);
    if (segment === undefined) continue;
    byTimeline.set(segment.timeline, [...(byTimeline.get(segment.timeline) ?? []), segment.number]);
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
 * on its own timeline, and on each timeline that branched off it, from the branch on. Those not in the archive are gaps.
 */
export function findGaps(span: WalSpan, archive: readonly ArchivedTimeline[]): { needed: string[]; missing: string[] } {
  const { segmentBytes } = span;
  const needed: string[] = [];
  const missing: string[] = [];
  const ask = (timeline: number, first: bigint, atLeast: bigint): void => {
    const have = new Set(archive.find((one) => one.timeline === timeline)?.numbers);
    const last = [...have].reduce((max, number) => (number > max ? number : max), atLeast);
    for (let number = first; number <= last; number++) {
      const name = segmentName({ timeline, number }, segmentBytes);
      (have.has(number) ? needed : missing).push(name);
    }
  };
  ask(span.timeline, segmentNumber(span.startLsn, segmentBytes), lastSegmentNumber(span.stopLsn, segmentBytes));
  for (const { timeline, ancestors } of archive) {
    const branch = ancestors.at(-1);
    const descends = ancestors.some((ancestor) => ancestor.timeline === span.timeline);
    if (!descends || branch === undefined) continue;
    const first = segmentNumber(branch.leftAt, segmentBytes);
    if (first >= segmentNumber(span.startLsn, segmentBytes)) ask(timeline, first, first - 1n);
  }
  return { needed, missing };
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
    return [];
  });
}

import { type Lsn, lsnBytes, parseLsn } from '../postgres/lsn.ts';
import { segmentNumber } from '../postgres/wal.ts';
import type { Received } from './tail.ts';
import { leadsTo, type Timelines } from './timelines.ts';
import type { ArchivedTimeline, WalSpan } from './wal-check.ts';

/** How far a test restore replays, and what of the archive that takes. */
export interface WalWanted {
  end: 'stop' | 'tail';
  timeline: number;
  /** The number of the last segment that the recovery must reach; none where the backup's own stop is enough. */
  lastNumber?: bigint;
  /** What is read of the archive, by timeline, in the order in which it is replayed. */
  spans: { timeline: number; from: Lsn; to?: Lsn }[];
  /** What a receiver has got behind the archive's end. */
  tail?: readonly Received[];
}

/** To the backup's own stop, and no further. */
export function toStop({ timeline }: Pick<WalSpan, 'timeline'>): WalWanted {
  return { end: 'stop', timeline, spans: [] };
}

/**
 * To the end of the archive, along the timeline that the data is on, or the newest one that goes through the backup: pure.
 */
export function toTail(span: WalSpan, { archive, present }: Timelines): WalWanted {
  const through = archive.filter(({ timeline }) => leadsTo(span, timeline, archive));
  const newest = through.find(({ timeline }) => timeline === present) ?? through.at(-1);
  const timeline = newest?.timeline ?? span.timeline;
  const branches = newest?.ancestors ?? [];
  const own = branches.findIndex((branch) => branch.timeline === span.timeline);
  const way = own < 0 ? [] : branches.slice(own);
  const last = newest?.numbers.at(-1);
  const left = way.at(-1)?.leftAt;
  const lastNumber = last ?? (left === undefined ? undefined : segmentNumber(left, span.segmentBytes));
  const legs = [...way.map((branch) => ({ timeline: branch.timeline, to: branch.leftAt })), { timeline }];
  const spans = legs.map((leg) => ({ ...leg, from: later(firstOf(archive, leg.timeline, span), span.startLsn) }));
  const stocked = spans.filter(({ timeline: one }) => archive.some((a) => a.timeline === one && a.numbers.length > 0));
  return { end: 'tail', timeline, ...(lastNumber === undefined ? {} : { lastNumber }), spans: stocked };
}

/** Where the first segment of a timeline begins that is there. */
function firstOf(archive: readonly ArchivedTimeline[], timeline: number, { segmentBytes }: WalSpan): Lsn {
  const number = archive.find((one) => one.timeline === timeline)?.numbers[0] ?? 0n;
  const bytes = number * BigInt(segmentBytes);
  return parseLsn(`${(bytes >> 32n).toString(16)}/${(bytes & 0xffffffffn).toString(16)}`);
}

function later(a: Lsn, b: Lsn): Lsn {
  return lsnBytes(a) > lsnBytes(b) ? a : b;
}

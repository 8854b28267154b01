import { planRetention, type Retained, type RetentionFacts } from '../../../lib/backups/retention.ts';
import { noTimelines } from '../../../lib/backups/timelines.ts';
import { lsnAt } from '../../../lib/postgres/lsn.ts';
import { defaultSegmentBytes, segmentName } from '../../../lib/postgres/wal.ts';

export const nowMs = Date.parse('2026-11-21T12:00:00Z');
const dayMs = 24 * 60 * 60 * 1000;
export const own = 'this-instance';

/** A backup so many days old that begins in a segment. */
export function backup(id: string, ageDays: number, segment: number, more: Partial<Retained> = {}): Retained {
  return {
    id,
    state: 'verified',
    finishedAt: new Date(nowMs - ageDays * dayMs).toISOString(),
    startLsn: lsnAt(BigInt(segment) * BigInt(defaultSegmentBytes) + 0x28n),
    stopLsn: lsnAt(BigInt(segment) * BigInt(defaultSegmentBytes) + 0x100n),
    timeline: 1,
    segmentBytes: defaultSegmentBytes,
    instance: { id: own },
    ...more,
  };
}

export const nameOf = (number: number, timeline = 1): string =>
  segmentName({ timeline, number: BigInt(number) }, defaultSegmentBytes);

export function plan(
  backups: Retained[],
  policy: { days?: number; keep?: number },
  more: Partial<RetentionFacts> = {},
) {
  const facts = { backups, instanceId: own, archive: [], timelines: noTimelines, nowMs, frozen: undefined, ...more };
  return planRetention(facts, { days: policy.days, keep: policy.keep });
}

export const week = [10, 8, 6, 4, 2].map((age, index) => backup(`b${index + 1}`, age, 10 * (index + 1)));

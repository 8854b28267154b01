import { describe, expect, it } from '@jest/globals';
import type { Retained } from '../../../lib/backups/retention.ts';
import { lsnAt } from '../../../lib/postgres/lsn.ts';
import { defaultSegmentBytes } from '../../../lib/postgres/wal.ts';
import { backup, nameOf, plan } from './retention-facts.ts';

describe('after a restore in place', () => {
  // Taken on the first timeline, of which the restore left the second behind b1; b3 was the newest verified one.
  const before = [backup('b1', 10, 10), backup('b2', 9, 20), backup('b3', 8, 30)];
  const left = { timeline: 1, leftAt: lsnAt(15n * BigInt(defaultSegmentBytes)) };
  const timelines = [
    { timeline: 1, ancestors: [], numbers: [] },
    { timeline: 2, ancestors: [left], numbers: [] },
  ];
  const keptBy = (backups: Retained[], policy: { days?: number; keep?: number }, present?: number) =>
    plan(backups, policy, { timelines: { archive: timelines, present } })
      .verdicts.filter(({ kept }) => kept)
      .map(({ id }) => id);

  it('the verified backup stays that leads to the data there is now, whatever is newer', () => {
    expect(keptBy(before, { keep: 1 })).toEqual(['b1', 'b2', 'b3']);
    const proven = [...before, backup('b4', 1, 18, { timeline: 2 })];
    expect(keptBy(proven, { keep: 1 })).toEqual(['b4']);
  });

  it('no word is said of timelines where there is one', () => {
    const archive = timelines.slice(0, 1);
    const { verdicts } = plan(before, { keep: 1 }, { timelines: { archive, present: 1 } });
    expect(verdicts[2]?.reasons[0]).toBe('the newest verified one');
  });

  it('nothing goes while none that leads there is verified', () => {
    const backups = [
      { ...before[0]!, state: 'complete' as const },
      ...before.slice(1),
      backup('b4', 1, 18, { timeline: 2, state: 'failed' }),
    ];
    const { verdicts, wal } = plan(
      backups,
      { keep: 1 },
      { timelines: { archive: timelines, present: undefined }, archive: [nameOf(2)] },
    );
    expect(verdicts[0]?.reasons).toEqual(['nothing on the way to timeline 2 is verified yet, so nothing is removed']);
    expect([verdicts.filter(({ kept }) => !kept), wal]).toEqual([[], []]);
  });

  it('a timeline that a restore has left which was undone does not count: the data is on another', () => {
    // b3 leads to the data; timeline 2 left behind b1, and nothing is written on it.
    expect(keptBy(before, { keep: 1 }, 1)).toEqual(['b3']);
    const { verdicts, wal } = plan(
      before,
      { keep: 1 },
      { timelines: { archive: timelines, present: 1 }, archive: [nameOf(2)] },
    );
    expect(verdicts.map(({ reasons }) => reasons)).toEqual([
      ['not among the 1 newest'],
      ['not among the 1 newest'],
      ['the newest verified one on the way to timeline 1', 'number 1 of the 1 newest'],
    ]);
    expect(wal).toEqual([nameOf(2)]);
  });

  it('the days that are kept restorable are those the data has gone through, also beside a backup of a dead timeline', () => {
    // b4 was taken on timeline 2 before that restore was taken back; the data has gone on from b3 on timeline 1.
    const backups = [...before, backup('b4', 7.5, 18, { timeline: 2 }), backup('b5', 1, 40)];
    expect(keptBy(backups, { days: 7 }, 1)).toEqual(['b3', 'b4', 'b5']);
  });

  it('the days that are kept restorable are those of a restore that was taken back, too', () => {
    // Nobody can tell when timeline 2 was written to: b1 leads there, b3 to the data.
    expect(keptBy(before, { days: 7 }, 1)).toEqual(['b1', 'b3']);
  });

  it('a timeline that had ended before the days began keeps nothing', () => {
    const backups = [...before, backup('b4', 7.5, 18, { timeline: 2 }), backup('b5', 1, 40, { timeline: 2 })];
    expect(keptBy(backups, { days: 7 })).toEqual(['b4', 'b5']);
  });

  it('the days that are kept restorable are those of both timelines', () => {
    // The restore was 5 days ago: the moments from then to b4 are restored from b1, those before it from b3.
    const backups = [...before, backup('b4', 1, 18, { timeline: 2 })];
    expect(keptBy(backups, { days: 7 })).toEqual(['b1', 'b3', 'b4']);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { planRetention, type Retained, type RetentionFacts } from '../../../lib/backups/retention.ts';
import { noTimelines } from '../../../lib/backups/timelines.ts';
import { lsnAt } from '../../../lib/postgres/lsn.ts';
import { defaultSegmentBytes, segmentName } from '../../../lib/postgres/wal.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const dayMs = 24 * 60 * 60 * 1000;
const own = 'this-instance';

/** A backup so many days old that begins in a segment. */
function backup(id: string, ageDays: number, segment: number, more: Partial<Retained> = {}): Retained {
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

const nameOf = (number: number, timeline = 1): string =>
  segmentName({ timeline, number: BigInt(number) }, defaultSegmentBytes);

function plan(backups: Retained[], policy: { days?: number; keep?: number }, more: Partial<RetentionFacts> = {}) {
  const facts = { backups, instanceId: own, archive: [], timelines: noTimelines, nowMs, frozen: undefined, ...more };
  return planRetention(facts, { days: policy.days, keep: policy.keep });
}

const week = [10, 8, 6, 4, 2].map((age, index) => backup(`b${index + 1}`, age, 10 * (index + 1)));

describe('planRetention', () => {
  it.each([
    [
      '--retention-days 7: all of the window, and the one that it begins from',
      week,
      { days: 7 },
      {
        b1: [false, '10.0 days old, and a newer one serves the last 7 days'],
        b2: [true, 'the moments from 7 days ago on are restored from it'],
        b3: [true, '6.0 days old, within 7 days'],
        b4: [true, '4.0 days old, within 7 days'],
        b5: [true, 'the newest verified one', '2.0 days old, within 7 days'],
      },
    ],
    [
      '--keep 2',
      week,
      { keep: 2 },
      {
        b1: [false, 'not among the 2 newest'],
        b2: [false, 'not among the 2 newest'],
        b3: [false, 'not among the 2 newest'],
        b4: [true, 'number 2 of the 2 newest'],
        b5: [true, 'the newest verified one', 'number 1 of the 2 newest'],
      },
    ],
    [
      'both: what either keeps',
      week.slice(2),
      { days: 3, keep: 1 },
      {
        b3: [false, '6.0 days old, and a newer one serves the last 3 days', 'not among the 1 newest'],
        b4: [true, 'the moments from 3 days ago on are restored from it'],
        b5: [true, 'the newest verified one', 'number 1 of the 1 newest', '2.0 days old, within 3 days'],
      },
    ],
    [
      'pinned',
      [backup('b1', 90, 1, { pinned: true }), backup('b2', 80, 2), backup('b3', 1, 3)],
      { keep: 1 },
      {
        b1: [true, 'pinned'],
        b2: [false, 'not among the 1 newest'],
        b3: [true, 'the newest verified one', 'number 1 of the 1 newest'],
      },
    ],
    [
      'the newest verified one, however old, and what came after it',
      [
        backup('b1', 40, 1),
        backup('b2', 30, 2),
        backup('b3', 20, 3, { state: 'complete' }),
        backup('b4', 10, 4, { state: 'failed' }),
        backup('b5', 1, 5, { state: 'complete' }),
      ],
      { keep: 1 },
      {
        b1: [false, 'not among the 1 newest'],
        b2: [true, 'the newest verified one'],
        b3: [true, 'newer than the newest verified one'],
        b4: [true, 'failed, and nothing newer is verified'],
        b5: [true, 'newer than the newest verified one', 'number 1 of the 1 newest'],
      },
    ],
    [
      'a failed one never counts, and goes when a newer one is verified',
      [backup('b1', 3, 1), backup('b2', 2, 2, { state: 'failed' }), backup('b3', 1, 3)],
      { keep: 2, days: 7 },
      {
        b1: [true, 'number 2 of the 2 newest', '3.0 days old, within 7 days'],
        b2: [false, 'failed, and b3 was verified since'],
        b3: [true, 'the newest verified one', 'number 1 of the 2 newest', '1.0 days old, within 7 days'],
      },
    ],
    [
      'nothing while nothing is verified',
      [backup('b1', 90, 1, { state: 'complete' }), backup('b2', 80, 2, { state: 'failed' })],
      { keep: 1 },
      {
        b1: [true, 'nothing is verified yet, so nothing is removed'],
        b2: [true, 'nothing is verified yet, so nothing is removed'],
      },
    ],
    [
      'an earlier instance of the name',
      [backup('old', 90, 700, { instance: { id: 'earlier' } }), backup('b1', 1, 1)],
      { keep: 1 },
      {
        old: [true, 'of an earlier instance of this name: only delete-backup removes it'],
        b1: [true, 'the newest verified one', 'number 1 of the 1 newest'],
      },
    ],
  ] as const)('%s', (_, backups, policy, expected) => {
    const { verdicts } = plan([...backups], policy);
    expect(Object.fromEntries(verdicts.map(({ id, kept, reasons }) => [id, [kept, ...reasons]]))).toEqual(expected);
  });

  it('removes what was received before the oldest kept backup, and no end of a timeline after that', () => {
    const archive = [
      `tail/00000001/${nameOf(39)}.partial`,
      `tail/00000002/${nameOf(50, 2)}.partial`,
      'tail',
      nameOf(50),
    ];
    expect(plan(week, { keep: 1 }, { archive }).wal).toEqual([`tail/00000001/${nameOf(39)}.partial`]);
  });

  it('removes nothing while it stands still', () => {
    const { verdicts, wal } = plan(week, { keep: 1 }, { frozen: 'damage in base.tar', archive: [nameOf(1)] });
    expect(verdicts.map(({ kept, reasons }) => [kept, reasons])).toEqual(
      week.map(() => [true, ['damage in base.tar']]),
    );
    expect(wal).toEqual([]);
  });

  it('counts no backup of an earlier instance of the name: a newer, verified one proves nothing of this one', () => {
    const other = { instance: { id: 'earlier' } };
    const backups = [backup('b1', 5, 1), backup('b2', 4, 2, { state: 'complete' }), backup('other', 1, 3, other)];
    const { verdicts } = plan(backups, { keep: 1 });
    expect(verdicts.map(({ id, kept }) => [id, kept])).toEqual([
      ['b1', true],
      ['b2', true],
      ['other', true],
    ]);
    expect(verdicts[0]?.reasons).toEqual(['the newest verified one']);
    const unproven = plan([backup('b1', 5, 1, { state: 'complete' }), backup('other', 1, 3, other)], { keep: 1 });
    expect(unproven.verdicts[0]?.reasons).toEqual(['nothing is verified yet, so nothing is removed']);
    expect(unproven.wal).toEqual([]);
  });

  it('removes nothing that no rule speaks of', () => {
    const { verdicts } = plan(week, {});
    expect(verdicts.map(({ kept }) => kept)).toEqual([true, true, true, true, true]);
    expect(verdicts[0]?.reasons).toEqual(['no rule says that it may go']);
  });

  it('takes the moment that the days begin at for one of before', () => {
    expect(plan([backup('b1', 9, 1), backup('b2', 7, 2), backup('b3', 1, 3)], { days: 7 }).verdicts).toMatchObject([
      { id: 'b1', kept: false },
      { id: 'b2', kept: true, reasons: ['the moments from 7 days ago on are restored from it'] },
      { id: 'b3', kept: true },
    ]);
  });

  it('keeps WAL from the oldest start, whichever backup has it, and files that only begin like a segment', () => {
    const backups = [backup('b1', 3, 8), backup('b2', 1, 5)];
    const archive = [nameOf(4), nameOf(5), nameOf(8), `${nameOf(4)}0`, 'README'];
    expect(plan(backups, { keep: 2 }, { archive }).wal).toEqual([nameOf(4)]);
  });

  it('removes WAL from before the oldest kept start, on every timeline and in every form, but no history', () => {
    const archive = [
      nameOf(39),
      `${nameOf(39)}.zst`,
      `${nameOf(38)}.partial`,
      `${nameOf(30)}.00000028.backup`,
      nameOf(5, 2),
      nameOf(40),
      nameOf(50),
      '00000002.history',
      '.instance',
      'notes.txt',
    ];
    const { wal } = plan(week, { keep: 2 }, { archive });
    expect(wal).toEqual(archive.slice(0, 5));
  });
});

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

  it('the days that are kept restorable are those of both timelines', () => {
    // The restore was 5 days ago: the moments from then to b4 are restored from b1, those before it from b3.
    const backups = [...before, backup('b4', 1, 18, { timeline: 2 })];
    expect(keptBy(backups, { days: 7 })).toEqual(['b1', 'b3', 'b4']);
  });
});

describe('what is kept can always be restored', () => {
  const state = fc.constantFrom('verified' as const, 'complete' as const, 'failed' as const);
  const history = fc.array(
    fc.record({
      ageDays: fc.integer({ min: 0, max: 60 }),
      grows: fc.integer({ min: 0, max: 5 }),
      state,
      pinned: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  );
  const policies = fc.record({
    days: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
    keep: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
  });

  it('the newest verified backup, and from the oldest kept start to the tail all WAL', () => {
    fc.assert(
      fc.property(history, policies, (steps, { days, keep }) => {
        let segment = 3;
        const backups = steps
          .toSorted((a, b) => b.ageDays - a.ageDays)
          .map((step, index) => {
            segment += step.grows;
            return backup(`b${index}`, step.ageDays, segment, { state: step.state, pinned: step.pinned });
          });
        const archive = Array.from({ length: segment + 4 }, (_, index) => nameOf(index));
        const facts = { backups, instanceId: own, archive, timelines: noTimelines, nowMs, frozen: undefined };
        const { verdicts, wal } = planRetention(facts, { days, keep });
        const left = backups.filter(({ id }) => verdicts.some((verdict) => verdict.id === id && verdict.kept));
        const gone = new Set(wal);

        const newest = backups.findLast((one) => one.state === 'verified');
        if (newest !== undefined) expect(left).toContain(newest);
        else expect(left).toEqual(backups);
        for (const pinned of backups.filter((one) => one.pinned)) expect(left).toContain(pinned);
        expect(verdicts.every(({ reasons }) => reasons.length > 0)).toBe(true);
        for (const { startLsn } of left) {
          const start = Number(BigInt(`0x${startLsn.split('/')[1]}`) / BigInt(defaultSegmentBytes));
          for (let number = start; number < archive.length; number++) expect(gone.has(nameOf(number))).toBe(false);
        }
        // Done again, there is nothing more to do.
        const rest = archive.filter((name) => !gone.has(name));
        const again = planRetention({ ...facts, backups: left, archive: rest }, { days, keep });
        expect([again.verdicts.filter(({ kept }) => !kept), again.wal]).toEqual([[], []]);
      }),
    );
  });
});

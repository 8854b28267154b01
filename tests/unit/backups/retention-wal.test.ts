import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { planRetention } from '../../../lib/backups/retention.ts';
import { noTimelines } from '../../../lib/backups/timelines.ts';
import { defaultSegmentBytes } from '../../../lib/postgres/wal.ts';
import { backup, nameOf, nowMs, own, plan, week } from './retention-facts.ts';

describe('WAL', () => {
  it('removes what was received before the oldest kept backup, and no end of a timeline after that', () => {
    const archive = [
      `tail/00000001/${nameOf(39)}.partial`,
      `tail/00000002/${nameOf(50, 2)}.partial`,
      'tail',
      nameOf(50),
    ];
    expect(plan(week, { keep: 1 }, { archive }).wal).toEqual([`tail/00000001/${nameOf(39)}.partial`]);
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

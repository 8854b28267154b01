import { describe, expect, it } from '@jest/globals';
import { backup, nameOf, plan, week } from './retention-facts.ts';

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
});

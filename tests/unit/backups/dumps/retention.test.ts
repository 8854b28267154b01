import { describe, expect, it } from '@jest/globals';
import { planDumpRetention, type RetainedDump } from '../../../../lib/backups/dumps/retention.ts';

const nowMs = Date.parse('2026-11-22T00:00:00Z');

function dump(id: string, daysOld: number, more: Partial<RetainedDump> = {}): RetainedDump {
  const finishedAt = new Date(nowMs - daysOld * 24 * 60 * 60 * 1000).toISOString();
  return { id, type: 'dump', state: 'verified', finishedAt, instance: { id: 'i' }, ...more };
}

function plan(dumps: RetainedDump[], policy: { days?: number; keep?: number }, frozen?: string) {
  const verdicts = planDumpRetention(
    { dumps, instanceId: 'i', nowMs, frozen },
    { days: undefined, keep: undefined, ...policy },
  );
  return verdicts.map(({ id, kept, reasons }) => [id, kept, reasons.join('; ')]);
}

describe('planDumpRetention', () => {
  it('judges each type by itself', () => {
    expect(plan([dump('s', 30, { type: 'schema' }), dump('a', 20), dump('b', 10)], { days: 7 })).toEqual([
      ['s', true, 'the newest verified schema'],
      ['a', false, '20.0 days old, more than 7 days'],
      ['b', true, 'the newest verified dump'],
    ]);
  });

  it('keeps so many, those within days, and what is newer than the newest verified one', () => {
    expect(plan([dump('a', 9), dump('b', 8), dump('c', 7), dump('d', 1, { state: 'complete' })], { keep: 2 })).toEqual([
      ['a', false, 'not among the 2 newest of type dump'],
      ['b', false, 'not among the 2 newest of type dump'],
      ['c', true, 'the newest verified dump; number 2 of the 2 newest of type dump'],
      ['d', true, 'newer than the newest verified dump; number 1 of the 2 newest of type dump'],
    ]);
    expect(plan([dump('a', 3), dump('b', 1)], { days: 7 })[0]).toEqual(['a', true, '3.0 days old, within 7 days']);
    expect(plan([dump('a', 7), dump('b', 1)], { days: 7 })[0]).toEqual(['a', false, '7.0 days old, more than 7 days']);
  });

  it('removes nothing that no rule speaks of', () => {
    expect(plan([dump('p', 40, { pinned: true }), dump('a', 30), dump('b', 1)], {})).toEqual([
      ['p', true, 'pinned; no rule says that it may go'],
      ['a', true, 'no rule says that it may go'],
      ['b', true, 'no rule says that it may go'],
    ]);
  });

  it('removes a failed one when a later one is verified, and not before', () => {
    const failed = dump('a', 2, { state: 'failed' });
    expect(plan([failed, dump('b', 1)], { keep: 5 })[0]).toEqual(['a', false, 'failed, and b was verified since']);
    expect(plan([failed], { keep: 5 })[0]).toEqual(['a', true, 'no dump is verified yet, so none is removed']);
    const later = [failed, dump('b', 2), dump('c', 1, { state: 'complete' })];
    expect(plan(later, { keep: 1 })[0]).toEqual(['a', false, 'failed, and b was verified since']);
  });

  it('counts no failed one among the newest', () => {
    const dumps = [dump('a', 3), dump('f', 2, { state: 'failed' }), dump('b', 1)];
    expect(plan(dumps, { keep: 2 }).map(([id, kept]) => [id, kept])).toEqual([
      ['a', true],
      ['f', false],
      ['b', true],
    ]);
  });

  it('counts none of an earlier instance of the name: a newer, verified one proves nothing of this one', () => {
    const dumps = [dump('a', 3, { state: 'complete' }), dump('e', 1, { instance: { id: 'old' } })];
    expect(plan(dumps, { keep: 1 })[0]).toEqual(['a', true, 'no dump is verified yet, so none is removed']);
    expect(plan([dump('b', 4), ...dumps], { keep: 2 })[0]?.[2]).toContain('number 2 of the 2 newest');
  });

  it('spares what is pinned or of an earlier instance, and all while an alarm stands', () => {
    const dumps = [dump('p', 40, { pinned: true }), dump('e', 40, { instance: { id: 'old' } }), dump('n', 1)];
    expect(plan(dumps, { keep: 1 }).slice(0, 2)).toEqual([
      ['p', true, 'pinned'],
      ['e', true, 'of an earlier instance of this name: only delete-backup removes it'],
    ]);
    const old = dump('o', 50);
    expect(plan([old, ...dumps], { keep: 1 })[0]).toEqual(['o', false, 'not among the 1 newest of type dump']);
    expect(plan([old, ...dumps], { keep: 1 }, 'damage').map(([, , why]) => why)).toEqual(
      Array(4).fill('retention stands still: damage'),
    );
  });
});

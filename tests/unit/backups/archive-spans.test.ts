import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { countSegments, describeRange, spansAlong } from '../../../lib/backups/archive-spans.ts';
import type { ArchivedTimeline, WalSpan } from '../../../lib/backups/wal-check.ts';
import { lsnAt, parseLsn } from '../../../lib/postgres/lsn.ts';
import { defaultSegmentBytes } from '../../../lib/postgres/wal.ts';

function span(stopLsn: string, timeline = 1): WalSpan {
  return { timeline, startLsn: parseLsn('0/1000000'), stopLsn: parseLsn(stopLsn), segmentBytes: defaultSegmentBytes };
}

function timeline(number: number, numbers: number[], ...ancestors: [number, string][]): ArchivedTimeline {
  return {
    timeline: number,
    numbers: numbers.map(BigInt),
    ancestors: ancestors.map(([one, lsn]) => ({ timeline: one, leftAt: parseLsn(lsn) })),
  };
}

const range = (of: number, first: number, last = first) => ({ timeline: of, first: BigInt(first), last: BigInt(last) });

describe('spansAlong', () => {
  it.each([
    ['whole', [3, 4, 5, 6], [range(1, 4, 6)], []],
    ['nothing archived yet', [], [], []],
    ['a hole', [3, 4, 6, 9], [range(1, 4), range(1, 6), range(1, 9)], [range(1, 5), range(1, 7, 8)]],
    ['a hole before the end of the backup, which has that WAL itself', [2, 4, 5], [range(1, 4, 5)], []],
    ['the segment in which the backup ends', [3, 5, 6], [range(1, 5, 6)], [range(1, 4)]],
  ])('one timeline: %s', (_, numbers, spans, gaps) => {
    expect(spansAlong(span('0/4000100'), 1, [timeline(1, numbers)])).toEqual({ spans, gaps });
  });

  it('begins behind a backup that ends on a boundary', () => {
    expect(spansAlong(span('0/5000000'), 1, [timeline(1, [4, 5])]).spans).toEqual([range(1, 5)]);
  });

  it('follows branches: of the parent up to the one it was left in, of the child from there', () => {
    const archive = [timeline(1, [3, 4, 5, 6, 7]), timeline(2, [6, 7, 8], [1, '0/6000100'])];
    expect(spansAlong(span('0/4000100'), 2, archive)).toEqual({ spans: [range(1, 4, 5), range(2, 6, 8)], gaps: [] });
    const torn = [timeline(1, [4]), timeline(2, [6, 8], [1, '0/6000100'])];
    expect(spansAlong(span('0/4000100'), 2, torn).gaps).toEqual([range(1, 5), range(2, 7)]);
  });

  it('takes a child of which only the history is there for one that is still being written', () => {
    const archive = [timeline(1, [4, 5]), timeline(2, [], [1, '0/6000100'])];
    expect(spansAlong(span('0/4000100'), 2, archive)).toEqual({ spans: [range(1, 4, 5)], gaps: [] });
  });

  it('what is there and what is missing make up the whole way, each once', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 50 }),
        (numbers, stop) => {
          const sorted = numbers.toSorted((a, b) => a - b);
          const { spans, gaps } = spansAlong(span(lsnAt(BigInt(stop) * 0x1000000n + 0x100n)), 1, [timeline(1, sorted)]);
          const wanted = sorted.filter((number) => number >= stop);
          expect(countSegments(spans)).toBe(wanted.length);
          const newest = wanted.at(-1);
          const way = newest === undefined ? 0 : newest - stop + 1;
          expect(countSegments(spans) + countSegments(gaps)).toBe(way);
        },
      ),
    );
  });
});

it('describeRange names both ends', () => {
  expect(describeRange(range(1, 4), defaultSegmentBytes)).toBe('000000010000000000000004');
  expect(describeRange(range(2, 4, 300), defaultSegmentBytes)).toBe(
    '000000020000000000000004 to 00000002000000010000002C',
  );
});

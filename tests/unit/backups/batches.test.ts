import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Piece, planBatches } from '../../../lib/backups/amcheck.ts';

const pieces = fc.array(
  fc.record({
    kind: fc.constantFrom('index' as const, 'heap' as const),
    oid: fc.integer({ min: 1, max: 1_000_000 }),
    name: fc.constant('x'),
    bytes: fc.integer({ min: 0, max: 100_000 }).map((blocks) => blocks * 8192),
    withHeap: fc.boolean(),
    blocks: fc.constant(null),
  }),
);

describe('what is asked by one query', () => {
  it('comes to every page of every relation, once', () => {
    fc.assert(
      fc.property(pieces, (given: Piece[]) => {
        const planned = planBatches(given).flat();
        const sum = (all: Piece[]): number => all.reduce((bytes, piece) => bytes + piece.bytes, 0);
        expect(sum(planned)).toBe(sum(given));
        for (const { kind, blocks, bytes } of planned) {
          if (blocks === null) continue;
          expect([kind, (blocks[1] - blocks[0] + 1) * 8192]).toEqual(['heap', bytes]);
        }
      }),
    );
  });

  it('is of one kind, the largest first, and a large table is cut into spans', () => {
    const heap: Piece = { kind: 'heap', oid: 1, name: 't', bytes: 40_000 * 8192, withHeap: false, blocks: null };
    const index: Piece = { ...heap, kind: 'index', oid: 2, bytes: 8192 };
    const batches = planBatches([index, heap]);
    expect(batches.map((batch) => batch.map(({ kind, blocks }) => [kind, blocks]))).toEqual([
      [['heap', [0, 16_383]]],
      [['heap', [16_384, 32_767]]],
      [['heap', [32_768, 39_999]]],
      [['index', null]],
    ]);
  });
});

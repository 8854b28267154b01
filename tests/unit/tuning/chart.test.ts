import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { renderBar } from '../../../lib/tuning/chart.ts';

it.each([
  [50, 75, '█████░░░··'],
  [0, 0, '··········'],
  [1, 1, '█·········'],
  [100, 100, '██████████'],
  [120, 300, '█████████▶'],
  [50, 300, '█████░░░░▶'],
])('%d committed, %d under stress, of 100', (committedBytes, stressBytes, bar) => {
  expect(renderBar({ committedBytes, stressBytes }, 100, 10)).toBe(bar);
});

it('is always as wide as it is asked to be', () => {
  const size = fc.integer({ min: 0, max: 500 });
  fc.assert(
    fc.property(size, size, fc.integer({ min: 1, max: 500 }), fc.integer({ min: 4, max: 60 }), (a, b, limit, width) => {
      const [committedBytes, stressBytes] = [Math.min(a, b), Math.max(a, b)];
      expect(renderBar({ committedBytes, stressBytes }, limit, width)).toHaveLength(width);
    }),
  );
});

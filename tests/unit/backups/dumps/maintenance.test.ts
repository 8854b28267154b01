import { expect, it } from '@jest/globals';
import { describeMaintenance } from '../../../../lib/backups/dumps/take.ts';

it.each([
  [{}, 0, undefined],
  [{ tables: 1, indexes: 1, constraints: 2 }, 1, undefined],
  [{ tables: 3, indexes: 1, functions: 2 }, 1, '2 tables, 2 functions'],
  [{ views: 1 }, 0, '1 views'],
])('the database postgres, of %j, %d of ours: %s', (objects, ours, told) => {
  expect(describeMaintenance(objects, ours)).toBe(told);
});

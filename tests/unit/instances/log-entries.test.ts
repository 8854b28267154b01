import { describe, expect, it } from '@jest/globals';
import { severityFilter } from '../../../lib/instances/log-entries.ts';

const at = '2026-11-22 03:23:25.045 GMT';
const log = [
  `${at} [10] LOG:  checkpoint starting: time`,
  `${at} [11] shop@shop ERROR:  relation "nix" does not exist at character 15`,
  `${at} [12] shop@shop WARNING:  there is no transaction in progress`,
  `${at} [11] shop@shop STATEMENT:  select *`,
  '\tfrom nix',
  `${at} [12] shop@shop HINT:  begin one`,
  `${at} [10] FATAL:  the database system is shutting down`,
  `${at} [13] odd name@shop LOG:  statement: select 'ERROR:  not one'`,
  `${at} [10] LOG:  shutting down`,
];

describe('the severity filter', () => {
  it.each([
    ['WARNING', [1, 2, 3, 4, 5, 6]],
    ['ERROR', [1, 3, 4, 6]],
    ['FATAL', [6]],
    ['PANIC', []],
  ] as const)('%s: entries that bad and worse, whole, also where processes write between each other', (least, kept) => {
    const keep = severityFilter(least);
    expect(log.flatMap((line, index) => (keep(line) ? [index] : []))).toEqual(kept);
  });
});

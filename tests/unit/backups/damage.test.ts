import { describe, expect, it } from '@jest/globals';
import { damageIn, speaksAgainstBackup } from '../../../lib/backups/damage.ts';

it.each([
  ['stored files', 'base.tar.zst is damaged', ['stored files: base.tar.zst is damaged']],
  ['page checksums', 'base/5/16384, block 3', ['page checksums: base/5/16384, block 3']],
  ['archived WAL', '000000010000000000000004 is missing', []],
  [
    'archived WAL',
    'A is missing; B has 5 bytes instead of 16; and 3 more',
    ['archived WAL: B has 5 bytes instead of 16'],
  ],
  ['end of the archive', 'the recovery ended at 0/4000000', []],
  ['heartbeat', 'the row is not there', []],
  ['tablespaces', 'its WAL makes a tablespace', []],
  ['SQL of sums.sql', 'statement 1: false', []],
])('%s: %s', (name, detail, damage) => {
  expect(damageIn([{ name, ok: false, detail }])).toEqual(damage);
});

describe('speaksAgainstBackup', () => {
  it.each([
    ['quick', ['archived WAL'], false],
    ['quick', ['archived WAL', 'test restore'], true],
    ['standard', ['archived WAL', 'SQL of sums.sql'], true],
    ['standard', ['heartbeat'], true],
    ['full', ['archived WAL', 'test restore'], false],
    ['full', ['test restore'], true],
    ['full', ['end of the archive', 'heartbeat', 'SQL of sums.sql'], false],
    ['full', ['archived WAL', 'page checksums'], true],
  ] as const)('at level %s, %j: %s', (level, names, against) => {
    const failed = names.map((name) => ({ name, ok: false, detail: '' }));
    expect(speaksAgainstBackup(failed, level)).toBe(against);
  });
});

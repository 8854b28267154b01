import { describe, expect, it } from '@jest/globals';
import { obstacles } from '../../../lib/backups/preflight.ts';

const sound = {
  bytes: 1e9,
  segmentBytes: 16 * 1024 * 1024,
  major: 15,
  recovering: false,
  archiving: true,
  checksums: true,
  senders: 10,
  sendersUsed: 8,
  slots: 10,
  slotsUsed: 9,
};

function messages(facts: Partial<typeof sound>): string[] {
  return obstacles({ ...sound, ...facts }, { major: 15 }, { name: 'shop' }).map(([message]) => message);
}

describe('what stands in the way of a backup', () => {
  it('is nothing where two WAL senders and a slot are free', () => {
    expect(messages({})).toEqual([]);
  });

  it.each<[Partial<typeof sound>, RegExp]>([
    [{ major: 14 }, /the server is PostgreSQL 14, the programs are 15/],
    [{ recovering: true }, /in recovery/],
    [{ archiving: false }, /archive_mode is off/],
    [{ sendersUsed: 9 }, /needs two WAL senders, 9 of 10 are taken/],
    [{ slotsUsed: 10 }, /needs a replication slot, 10 of 10 are taken/],
  ])('%o', (facts, message) => {
    expect(messages(facts)).toEqual([expect.stringMatching(message)]);
  });
});

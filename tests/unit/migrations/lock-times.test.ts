import { describe, expect, it } from '@jest/globals';
import { heldLocks, type LockSample } from '../../../lib/migrations/lock-times.ts';
import type { FileNote, NotedLock } from '../../../lib/migrations/rehearsal-notes.ts';

const exclusive = { relation: 't', mode: 'AccessExclusiveLock' };
const share = { relation: 't', mode: 'AccessShareLock' };

function note(endedMs: number, ...locks: NotedLock[]): FileNote {
  return { version: '1', endedMs, locks, rewritten: [], rows: { inserted: 0, updated: 0, deleted: 0 } };
}

function sample(atMs: number, ...locks: NotedLock[]): LockSample {
  return { atMs, locks };
}

describe('heldLocks', () => {
  it('counts from when a lock was first seen to the end of the file', () => {
    const samples = [sample(1100), sample(1200, exclusive), sample(1300, exclusive)];
    expect(heldLocks(note(2000, exclusive), 1000, samples)).toEqual([
      { ...exclusive, heldSeconds: 0.8, blocks: 'reads and writes' },
    ]);
  });

  it('says at most what may have been where no look fell into it', () => {
    expect(heldLocks(note(1210, exclusive), 1000, [sample(1200)])[0]?.heldSeconds).toBe(0.01);
    expect(heldLocks(note(1210, exclusive), 1000, [])[0]?.heldSeconds).toBe(0.21);
  });

  it('leaves the looks before and after the file to other files', () => {
    const samples = [sample(900, exclusive), sample(1500), sample(2500, exclusive)];
    expect(heldLocks(note(2000), 1000, samples)).toEqual([]);
  });

  it('tells the strongest of a table, from when that was held', () => {
    const samples = [sample(1100, share), sample(1500, share, exclusive)];
    expect(heldLocks(note(2000, share, exclusive), 1000, samples)).toMatchObject([
      { mode: 'AccessExclusiveLock', heldSeconds: 0.5 },
    ]);
  });

  it('knows of what a file without a transaction let go by the looks alone', () => {
    const samples = [sample(1100, exclusive), sample(1400, exclusive), sample(1500)];
    expect(heldLocks(note(2000), 1000, samples)).toMatchObject([{ heldSeconds: 0.3 }]);
  });
});

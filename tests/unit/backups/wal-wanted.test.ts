import { describe, expect, it } from '@jest/globals';
import type { ArchivedTimeline } from '../../../lib/backups/wal-check.ts';
import { toTail } from '../../../lib/backups/wal-wanted.ts';
import { parseLsn } from '../../../lib/postgres/lsn.ts';

const segmentBytes = 16 * 1024 * 1024;
/** Begins in segment 2, ends in segment 3. */
const span = { timeline: 1, startLsn: parseLsn('0/2000028'), stopLsn: parseLsn('0/3000100'), segmentBytes };

function timeline(number: number, numbers: number[], ...ancestors: [number, string][]): ArchivedTimeline {
  return {
    timeline: number,
    numbers: numbers.map(BigInt),
    ancestors: ancestors.map(([parent, leftAt]) => ({ timeline: parent, leftAt: parseLsn(leftAt) })),
  };
}

describe('the end of the archive', () => {
  it('is the last segment of the backup’s own timeline where there is no other', () => {
    expect(toTail(span, { archive: [timeline(1, [1, 2, 3, 4, 5])], present: undefined })).toEqual({
      end: 'tail',
      timeline: 1,
      lastNumber: 5n,
      spans: [{ timeline: 1, from: '0/2000028' }],
    });
  });

  it('is on the newest timeline that goes through the backup', () => {
    const archive = [timeline(1, [2, 3, 4, 5]), timeline(2, [4, 5, 6], [1, '0/4000500'])];
    expect(toTail(span, { archive, present: undefined })).toMatchObject({
      timeline: 2,
      lastNumber: 6n,
      spans: [
        { timeline: 1, from: '0/2000028', to: '0/4000500' },
        { timeline: 2, from: '0/4000000' },
      ],
    });
  });

  it('is not on a timeline that left before the backup was whole', () => {
    const archive = [timeline(1, [2, 3, 4]), timeline(2, [2, 3], [1, '0/2000500'])];
    expect(toTail(span, { archive, present: undefined })).toMatchObject({ timeline: 1, lastNumber: 4n });
  });

  it('is on the timeline that the data is on, whatever newer one a restore has left that was undone', () => {
    const archive = [timeline(1, [2, 3, 4, 5, 6]), timeline(2, [4], [1, '0/4000500'])];
    expect(toTail(span, { archive, present: 1 })).toMatchObject({ timeline: 1, lastNumber: 6n });
  });

  it('is the branch point of a timeline that has no whole segment yet', () => {
    const archive = [timeline(1, [2, 3, 4]), timeline(2, [], [1, '0/4000500'])];
    expect(toTail(span, { archive, present: undefined })).toMatchObject({
      timeline: 2,
      lastNumber: 4n,
      spans: [{ timeline: 1, from: '0/2000028', to: '0/4000500' }],
    });
  });
});

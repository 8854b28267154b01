import { describe, expect, it } from '@jest/globals';
import { complaints, judgeProtection, type ProtectionFacts } from '../../../lib/backups/protection.ts';
import type { ArchivedTimeline } from '../../../lib/backups/wal-check.ts';
import { parseLsn } from '../../../lib/postgres/lsn.ts';
import { defaultSegmentBytes } from '../../../lib/postgres/wal.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');

type Known = ProtectionFacts['backups'][number];

function backup(id: string, hour: number, segment: number, more: Partial<Known> = {}): Known {
  return {
    id,
    state: 'verified',
    finishedAt: `2026-11-21T${String(hour).padStart(2, '0')}:00:00.000Z`,
    startLsn: parseLsn(`0/${segment}000000`),
    stopLsn: parseLsn(`0/${segment}000100`),
    timeline: 1,
    segmentBytes: defaultSegmentBytes,
    ...more,
  };
}

type Given = Partial<ProtectionFacts> & { archive?: ArchivedTimeline[]; present?: number };

function judge({ archive, present, ...more }: Given) {
  return judgeProtection({
    backups: [backup('b1', 8, 3)],
    timelines: { archive: archive ?? [{ timeline: 1, ancestors: [], numbers: [3n, 4n, 5n] }], present },
    archivedAt: () => undefined,
    restoredAt: undefined,
    alarm: undefined,
    proof: undefined,
    nowMs,
    maxAgeSeconds: 26 * 3600,
    ...more,
  });
}

const proof = {
  schema: 1 as const,
  instanceId: 'i',
  backupId: 'b1',
  at: '2026-11-21T09:00:00.000Z',
  ok: false,
  detail: 'it ended at 0/4000000',
  recoveredToLsn: null,
  replayedBytes: 0,
  replaySeconds: 0,
};

describe('judgeProtection', () => {
  it('is content with a young verified backup and a whole archive', () => {
    const protection = judge({});
    expect(protection).toMatchObject({
      verifiedAgeSeconds: 4 * 3600,
      stale: false,
      backupDue: null,
      pointInTime: { state: 'whole', since: '2026-11-21T08:00:00.000Z', brokenSince: null, gaps: [] },
    });
    expect(complaints(protection)).toEqual([]);
  });

  it('is broken from the last segment before a gap on, until the next backup', () => {
    const archive = [{ timeline: 1, ancestors: [], numbers: [3n, 4n, 7n] }];
    const archivedAt = (name: string) => (name.endsWith('04') ? '2026-11-21T09:30:00.000Z' : undefined);
    const torn = judge({ archive, archivedAt });
    expect(torn.pointInTime).toEqual({
      state: 'broken',
      since: '2026-11-21T08:00:00.000Z',
      brokenSince: '2026-11-21T09:30:00.000Z',
      gaps: ['000000010000000000000005 to 000000010000000000000006'],
    });
    expect(torn.backupDue).toContain('WAL is missing');
    expect(complaints(torn)).toEqual([expect.stringContaining('no moment since 2026-11-21T09:30:00.000Z')]);
    const mended = judge({ archive, archivedAt, backups: [backup('b1', 8, 3), backup('b2', 11, 7)] });
    expect(mended).toMatchObject({ backupDue: null, pointInTime: { state: 'whole' } });
    // A failed one to begin from is none.
    const failed = judge({
      archive,
      archivedAt,
      backups: [backup('b1', 8, 3), backup('b2', 11, 7, { state: 'failed' })],
    });
    expect(failed.pointInTime.state).toBe('broken');
  });

  it('counts since the newest hole between backups, and since those of the present timeline', () => {
    const torn = [{ timeline: 1, ancestors: [], numbers: [3n, 5n, 6n, 7n] }];
    const backups = [backup('b1', 8, 3), backup('b2', 9, 5), backup('b3', 11, 7)];
    expect(judge({ backups, archive: torn }).pointInTime).toMatchObject({
      state: 'whole',
      since: backups[1]?.finishedAt,
    });
    // A restore has left timeline 1 before b3 was taken: the present data is reached from b2.
    const ancestors = [{ timeline: 1, leftAt: parseLsn('0/6000000') }];
    const archive = [...torn, { timeline: 2, ancestors, numbers: [6n, 8n] }];
    expect(judge({ backups, archive }).pointInTime).toMatchObject({
      state: 'broken',
      gaps: ['000000020000000000000007'],
    });
  });

  it('goes by the timeline of the data, not by a newer one of a restore that was undone', () => {
    const ancestors = [{ timeline: 1, leftAt: parseLsn('0/4000000') }];
    const archive = [
      { timeline: 1, ancestors: [], numbers: [3n, 4n, 5n, 7n] },
      { timeline: 2, ancestors, numbers: [4n] },
    ];
    const backups = [backup('b1', 8, 3), backup('b2', 10, 5)];
    expect(judge({ backups, archive, present: 1 })).toMatchObject({
      verifiedAgeSeconds: 2 * 3600,
      pointInTime: { state: 'broken', gaps: ['000000010000000000000006'] },
    });
    // On timeline 2 only b1 brings back what is there now.
    expect(judge({ backups, archive, present: 2 })).toMatchObject({
      verifiedAgeSeconds: 4 * 3600,
      pointInTime: { state: 'whole' },
    });
  });

  it('is broken since the backup where the very next segment is missing', () => {
    const torn = judge({ archive: [{ timeline: 1, ancestors: [], numbers: [4n] }] });
    expect(torn.pointInTime).toMatchObject({ state: 'broken', brokenSince: '2026-11-21T08:00:00.000Z' });
  });

  it('finds the newest verified backup too old by the age of its data', () => {
    expect(judge({ maxAgeSeconds: 4 * 3600 }).stale).toBe(false);
    const old = judge({ maxAgeSeconds: 4 * 3600 - 1 });
    expect(old.stale).toBe(true);
    expect(complaints(old)).toEqual(['the newest verified backup is 4.0 h old']);
  });

  it('does not take a complete backup for a verified one', () => {
    const protection = judge({ backups: [backup('b1', 8, 3, { state: 'complete' })] });
    expect(protection).toMatchObject({ verifiedAgeSeconds: null, stale: true });
    expect(complaints(protection)).toEqual(['no backup is verified']);
  });

  it('wants a backup after a restore, and where there is none', () => {
    expect(judge({ restoredAt: '2026-11-21T10:00:00.000Z' }).backupDue).toContain('replaced by a restore');
    expect(judge({ restoredAt: '2026-11-21T07:00:00.000Z' }).backupDue).toBeNull();
    expect(judge({ backups: [] })).toMatchObject({ backupDue: 'there is none yet', pointInTime: { state: 'none' } });
  });

  it('complains of a failed proof until a newer backup is verified', () => {
    expect(complaints(judge({ proof }))).toEqual(['the archive is not proven: it ended at 0/4000000']);
    expect(complaints(judge({ proof, backups: [backup('b2', 11, 4)] }))).toEqual([]);
  });

  it('tells all damage, whatever else is well', () => {
    const damage = [{ at: '2026-11-21T10:00:00Z', where: 'backup b1', what: 'base.tar.zst is damaged' }];
    const alarm = { schema: 1 as const, raisedAt: '2026-11-21T10:00:00Z', damage };
    expect(complaints(judge({ alarm }))).toEqual(['damage in backup b1: base.tar.zst is damaged']);
  });
});

import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backup } from '../../../lib/backups/catalogue.ts';
import { planRestore, type RestoreWish } from '../../../lib/backups/restore-plan.ts';
import { parseTime } from '../../../lib/backups/restore-target.ts';
import { type ArchivedTimeline, readArchive } from '../../../lib/backups/wal-check.ts';
import { parseLsn } from '../../../lib/postgres/lsn.ts';
import { defaultSegmentBytes } from '../../../lib/postgres/wal.ts';

/** A backup that was finished at an hour of one day, from LSN `0/N000000` to `0/N000100`. */
function backup(id: string, hour: number, segment: number, more: Partial<Backup> = {}): Backup {
  return {
    id,
    state: 'verified',
    finishedAt: `2026-11-21T${String(hour).padStart(2, '0')}:00:00.000Z`,
    startLsn: parseLsn(`0/${segment}000000`),
    stopLsn: parseLsn(`0/${segment}000100`),
    timeline: 1,
    segmentBytes: defaultSegmentBytes,
    ...more,
  } as Backup;
}

function timeline(number: number, ...ancestors: [number, string][]): ArchivedTimeline {
  return {
    timeline: number,
    ancestors: ancestors.map(([one, lsn]) => ({ timeline: one, leftAt: parseLsn(lsn) })),
    numbers: [3n, 4n, 5n, 6n, 7n, 8n, 9n],
  };
}

const anyTarget: RestoreWish = { backupId: undefined, target: { kind: 'latest' }, timeline: undefined };
const one = [timeline(1)];
const day = [backup('b1', 8, 3), backup('b2', 10, 5), backup('b3', 12, 7)];

function plan(backups: Backup[], archive: ArchivedTimeline[], wish: Partial<RestoreWish> = {}, present?: number) {
  return planRestore('client-a', backups, { archive, present }, { ...anyTarget, ...wish });
}

function coded(code: string, rest: { message?: string; hint?: string } = {}) {
  const parts = Object.entries(rest).map(([key, text]) => [key, expect.stringContaining(text)]);
  return expect.objectContaining({ code, ...Object.fromEntries(parts) });
}

describe('planRestore along one timeline', () => {
  it('begins from the newest backup', () => {
    expect(plan(day, one)).toMatchObject({ backup: day[2], timeline: 1, target: { kind: 'latest' }, warnings: [] });
  });

  it('begins from the newest one finished before the moment, compared as moments', () => {
    const at = (time: string): string => plan(day, one, { target: { kind: 'time', time: parseTime(time) } }).backup.id;
    expect(at('2026-11-21 11:59:59Z')).toBe('b2');
    expect(at('2026-11-21 10:00:00Z')).toBe('b2');
    expect(at('2026-11-21 09:59:59.999999Z')).toBe('b1');
    expect(at('2026-11-21 12:30:00+02:00')).toBe('b2');
    expect(at('2026-11-21 06:30:00-06:00')).toBe('b3');
  });

  it('says the earliest moment where that is too early', () => {
    expect(() => plan(day, one, { target: { kind: 'time', time: '2026-11-21T07:59:59Z' } })).toThrow(
      coded('RESTORE_TARGET', { hint: 'the earliest moment that can be restored is 2026-11-21T08:00:00.000Z' }),
    );
  });

  it('passes over a failed backup, unless it is named', () => {
    const backups = [backup('b1', 8, 3), backup('b2', 10, 5, { state: 'failed' })];
    expect(plan(backups, one).backup.id).toBe('b1');
    expect(plan(backups, one, { backupId: 'latest' }).backup.id).toBe('b1');
    const named = plan(backups, one, { backupId: 'b2' });
    expect(named.backup.id).toBe('b2');
    expect(named.warnings).toEqual([expect.stringContaining('b2 is failed')]);
    expect(plan(backups.slice(1), one, { backupId: 'b2' }).backup.id).toBe('b2');
    expect(() => plan([backup('b2', 10, 5, { state: 'failed' })], one)).toThrow(
      coded('BACKUP_NOT_FOUND', { hint: '--backup-name' }),
    );
  });

  it('warns of a backup that nothing was started from yet', () => {
    const { warnings } = plan([backup('b1', 8, 3, { state: 'complete' })], one);
    expect(warnings).toEqual(['backup b1 is complete, not verified']);
  });

  it('takes a named backup, also an older one, but not one that was finished too late', () => {
    expect(plan(day, one, { backupId: 'b1', target: { kind: 'time', time: '2026-11-21T11:00:00Z' } }).backup.id).toBe(
      'b1',
    );
    expect(() => plan(day, one, { backupId: 'b3', target: { kind: 'time', time: '2026-11-21T11:00:00Z' } })).toThrow(
      coded('RESTORE_TARGET', { message: 'b3 was finished at 2026-11-21T12:00:00.000Z', hint: '--backup-name' }),
    );
    expect(() => plan(day, one, { backupId: 'b9' })).toThrow(
      coded('BACKUP_NOT_FOUND', { message: '"b9"', hint: 'the newest are: b1, b2, b3' }),
    );
    const many = [1, 2, 3, 4, 5, 6].map((number) => backup(`b${number}`, number, number));
    expect(() => plan(many, one, { backupId: 'b9' })).toThrow(
      coded('BACKUP_NOT_FOUND', { hint: 'the newest are: b2, b3, b4, b5, b6' }),
    );
  });

  it('says so when there is none at all', () => {
    expect(() => plan([], [])).toThrow(coded('BACKUP_NOT_FOUND', { hint: 'there are none' }));
    expect(() => plan([], one, { backupId: 'latest' })).toThrow(coded('BACKUP_NOT_FOUND', { hint: 'there are none' }));
  });
});

describe('planRestore to other targets', () => {
  const at = (target: RestoreWish['target']): string => plan(day, one, { target }).backup.id;

  it('to a position: from the newest backup that was whole there', () => {
    expect(at({ kind: 'lsn', lsn: parseLsn('0/5000100') })).toBe('b2');
    expect(at({ kind: 'lsn', lsn: parseLsn('0/50000FF') })).toBe('b1');
    expect(() => at({ kind: 'lsn', lsn: parseLsn('0/3000000') })).toThrow(
      coded('RESTORE_TARGET', { hint: 'position that can be restored is 0/3000100' }),
    );
  });

  it('to a restore point: by its place, and from the oldest backup where that is not known', () => {
    expect(at({ kind: 'name', name: 'p', lsn: parseLsn('0/6000000') })).toBe('b2');
    const unknown = plan(day, one, { target: { kind: 'name', name: 'p' } });
    expect(unknown.backup.id).toBe('b1');
    expect(unknown.warnings).toEqual([expect.stringContaining('nobody can tell')]);
  });

  it('to a position with a named backup: not one that was whole only behind it', () => {
    expect(() => plan(day, one, { backupId: 'b3', target: { kind: 'lsn', lsn: parseLsn('0/6000000') } })).toThrow(
      coded('RESTORE_TARGET', { message: 'b3 was finished at 0/7000100, after 0/6000000' }),
    );
  });

  it('to a transaction: from a backup that had ended before any like it began', () => {
    const backups = [backup('b1', 8, 3, { nextXid: '700' }), backup('b2', 10, 5, { nextXid: '800' })];
    const from = (xid: bigint): string => plan(backups, one, { target: { kind: 'xid', xid } }).backup.id;
    expect([from(800n), from(799n), from(700n)]).toEqual(['b2', 'b1', 'b1']);
    expect(() => from(699n)).toThrow(coded('RESTORE_TARGET', { hint: '700' }));
    expect(plan(day, one, { target: { kind: 'xid', xid: 5n } }).backup.id).toBe('b1');
  });

  it('to the end of a backup: the newest, and no WAL of the archive', () => {
    expect(plan(day, one, { target: { kind: 'immediate' } })).toMatchObject({
      backup: { id: 'b3' },
      wal: { spans: [], gaps: [] },
    });
  });
});

describe('planRestore where WAL is missing', () => {
  // b1(3) b2(5) ○(6) ○(7) ●(8): nothing after 0/6000000 can be reached from b2.
  const torn = [{ timeline: 1, ancestors: [], numbers: [3n, 4n, 5n, 8n] }];
  const early = day.slice(0, 2);

  it('refuses an open end, naming what is missing and where', () => {
    expect(() => plan(early, torn)).toThrow(
      coded('RESTORE_TARGET', {
        message: '000000010000000000000006 to 000000010000000000000007 is missing',
        hint: '--to before-gap',
      }),
    );
    expect(() => plan(early, torn)).toThrow(
      expect.objectContaining({
        data: { gap: '000000010000000000000006 to 000000010000000000000007', gapLsn: '0/6000000' },
      }),
    );
  });

  it('goes up to it when asked', () => {
    const { backup: from, warnings, wal } = plan(early, torn, { target: { kind: 'before-gap' } });
    expect([from.id, warnings]).toEqual(['b2', []]);
    expect(wal).toEqual({
      spans: [
        { timeline: 1, first: 5n, last: 5n },
        { timeline: 1, first: 8n, last: 8n },
      ],
      gaps: [{ timeline: 1, first: 6n, last: 7n }],
    });
  });

  it('refuses a position behind it, and takes one before it', () => {
    const to = (lsn: string) => plan(early, torn, { target: { kind: 'lsn', lsn: parseLsn(lsn) } });
    expect(to('0/6000000').warnings).toEqual([]);
    expect(() => to('0/6000001')).toThrow(coded('RESTORE_TARGET', { message: 'gets past 0/6000000' }));
  });

  it('does so for a restore point whose place is known', () => {
    const to = (lsn: string) => plan(early, torn, { target: { kind: 'name', name: 'p', lsn: parseLsn(lsn) } });
    expect(to('0/5000200').warnings).toEqual([]);
    expect(() => to('0/8000000')).toThrow(coded('RESTORE_TARGET', { message: 'gets past 0/6000000' }));
  });

  it('asks for no WAL at all to the end of a backup', () => {
    const { warnings, wal } = plan(early, torn, { target: { kind: 'immediate' } });
    expect([warnings, wal]).toEqual([[], { spans: [], gaps: [] }]);
  });

  it('warns where nobody can tell on which side the target is', () => {
    const { warnings } = plan(early, torn, { target: { kind: 'time', time: '2026-11-21T11:00:00Z' } });
    expect(warnings).toEqual([expect.stringContaining('this fails where 2026-11-21T11:00:00Z is behind 0/6000000')]);
  });

  it('is whole again from a backup taken after it', () => {
    const later = [...early, backup('b4', 14, 8)];
    expect(plan(later, torn)).toMatchObject({ backup: { id: 'b4' }, wal: { gaps: [] } });
    expect(() => plan(later, torn, { backupId: 'b2' })).toThrow(coded('RESTORE_TARGET'));
  });

  it('says so where there is no gap to stop before', () => {
    expect(plan(day, one, { target: { kind: 'before-gap' } }).warnings).toEqual([
      'the archive has no gap: this goes to its end',
    ]);
  });
});

describe('planRestore where timelines branch', () => {
  // 1 ──b1(3)──b2(5)──●(6)──b3(7)      2 ──b4(8)──●(9)      3
  const branched = [timeline(1), timeline(2, [1, '0/6000000']), timeline(3, [1, '0/6000000'], [2, '0/9000000'])];
  const backups = [...day, backup('b4', 14, 8, { timeline: 2 })];

  it('ends on the newest timeline, from a backup that it goes through', () => {
    expect(plan(backups, branched)).toMatchObject({ backup: { id: 'b4' }, timeline: 3 });
    expect(plan(day, branched)).toMatchObject({ backup: { id: 'b2' }, timeline: 3 });
  });

  it('ends on the timeline that the data is on, and says where it does not know that one', () => {
    const dead = branched.slice(0, 2);
    expect(plan(day, dead, {}, 1)).toMatchObject({ backup: { id: 'b3' }, timeline: 1, warnings: [] });
    expect(plan(day, dead, {}, 2)).toMatchObject({ backup: { id: 'b2' }, timeline: 2, warnings: [] });
    const { warnings } = plan(day, dead);
    expect(warnings).toEqual([expect.stringContaining('on --timeline 1')]);
    expect(plan(day, dead, { timeline: 2 }).warnings).toEqual([]);
    // A failed one says nothing of what was written last.
    const failed = backup('b5', 15, 9, { state: 'failed' });
    expect(plan([...backups, failed], dead).warnings).toEqual([]);
  });

  it('takes a timeline for the newest of which the archive has only the history', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pgm-plan-'));
    try {
      for (const number of [3, 4, 5, 6, 7]) writeFileSync(join(folder, `00000001000000000000000${number}`), '');
      writeFileSync(join(folder, '00000002.history'), '1\t0/6000000\tno recovery target specified\n');
      const archive = readArchive(folder, defaultSegmentBytes);
      expect(plan(day, archive)).toMatchObject({ backup: { id: 'b2' }, timeline: 2 });
      expect(plan(day, archive, { timeline: 1 })).toMatchObject({ backup: { id: 'b3' }, timeline: 1 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('never begins from a backup taken after the timeline was left', () => {
    expect(plan(backups, branched, { target: { kind: 'time', time: '2026-11-21T13:00:00Z' } }).backup.id).toBe('b2');
    expect(() => plan(backups, branched, { backupId: 'b3' })).toThrow(
      coded('RESTORE_TARGET', { message: 'timeline 3 does not go through', hint: '--timeline 1' }),
    );
  });

  it('goes along the timeline asked for', () => {
    expect(plan(backups, branched, { timeline: 1 })).toMatchObject({ backup: { id: 'b3' }, timeline: 1 });
    expect(plan(backups, branched, { timeline: 2 })).toMatchObject({ backup: { id: 'b4' }, timeline: 2 });
  });

  it('counts a backup that ends exactly where the timeline was left', () => {
    const left = [timeline(1), timeline(2, [1, '0/5000100'])];
    expect(plan(day, left).backup.id).toBe('b2');
    const earlier = [timeline(1), timeline(2, [1, '0/50000FF'])];
    expect(plan(day, earlier).backup.id).toBe('b1');
  });

  it('refuses a timeline that no backup leads to, and names those there are', () => {
    expect(() => plan(backups, branched, { timeline: 7 })).toThrow(
      coded('RESTORE_TARGET', { message: 'timeline 7', hint: '--timeline 2' }),
    );
    expect(() => plan(backups, branched, { timeline: 7, backupId: 'b1' })).toThrow(
      coded('RESTORE_TARGET', { message: 'b1 is of timeline 1, which timeline 7', hint: '--timeline 1' }),
    );
  });
});

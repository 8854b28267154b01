import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backup } from '../../../lib/backups/catalogue.ts';
import { parseTime, planRestore, type RestoreTarget } from '../../../lib/backups/restore-plan.ts';
import { type ArchivedTimeline, readArchive } from '../../../lib/backups/wal-check.ts';
import { parseLsn } from '../../../lib/postgres/lsn.ts';
import { defaultSegmentBytes } from '../../../lib/postgres/wal.ts';

describe('parseTime', () => {
  it.each([
    ['2026-11-21T10:42:00Z', '2026-11-21T10:42:00+00:00'],
    ['2026-11-21 10:42:00+01:00', '2026-11-21T10:42:00+01:00'],
    ['2026-11-21 10:42Z', '2026-11-21T10:42+00:00'],
    ['2026-11-21 10:42:00.123456 UTC', '2026-11-21T10:42:00.123456+00:00'],
    ['2026-11-21t10:42:00z', '2026-11-21T10:42:00+00:00'],
    ['2026-11-21 10:42:00-0330', '2026-11-21T10:42:00-03:30'],
    ['2026-11-21 10:42:00+05', '2026-11-21T10:42:00+05:00'],
    [' 2026-02-28 23:59:59.9-11:00 ', '2026-02-28T23:59:59.9-11:00'],
    ['2028-02-29 00:00Z', '2028-02-29T00:00+00:00'],
  ])('reads %j', (text, time) => {
    expect(parseTime(text)).toBe(time);
    expect(Date.parse(time)).not.toBeNaN();
  });

  it.each(['2026-11-21 10:42:00', '2026-11-21T10:42'])('asks %j for its zone', (text) => {
    expect(() => parseTime(text)).toThrow(
      expect.objectContaining({ code: 'BAD_TIME', exitCode: 2, message: expect.stringContaining('time zone') }),
    );
  });

  it.each([
    '',
    'yesterday',
    '10:42Z',
    '2026-11-21',
    '21.11.2026 10:42Z',
    '2026-13-01 10:42Z',
    '2026-02-30 10:42Z',
    '2027-02-29 10:42Z',
    '2026-11-21 25:00Z',
    '2026-11-21 10:61Z',
    '2026-11-21 10:42:00.1234567Z',
    '2026-11-21 10:42 CET',
    '2026-11-21 10:42+1',
    '2026-11-21 10:42+25:00',
    '2026-11-21 10:42+01:75',
    "2026-11-21 10:42Z'; x",
  ])('refuses %j', (text) => {
    expect(() => parseTime(text)).toThrow(expect.objectContaining({ code: 'BAD_TIME' }));
  });
});

/** A backup that was finished at an hour of one day, from LSN `0/N000000` to `0/N000100`. */
function backup(id: string, hour: number, segment: number, more: Partial<Backup> = {}): Backup {
  return {
    id,
    state: 'verified',
    finishedAt: `2026-11-21T${String(hour).padStart(2, '0')}:00:00.000Z`,
    startLsn: parseLsn(`0/${segment}000000`),
    stopLsn: parseLsn(`0/${segment}000100`),
    timeline: 1,
    ...more,
  } as Backup;
}

function timeline(number: number, ...ancestors: [number, string][]): ArchivedTimeline {
  return {
    timeline: number,
    ancestors: ancestors.map(([one, lsn]) => ({ timeline: one, leftAt: parseLsn(lsn) })),
    numbers: [],
  };
}

const anyTarget: RestoreTarget = { backupId: undefined, time: undefined, timeline: undefined };
const one = [timeline(1)];
const day = [backup('b1', 8, 3), backup('b2', 10, 5), backup('b3', 12, 7)];

function plan(backups: Backup[], archive: ArchivedTimeline[], target: Partial<RestoreTarget> = {}) {
  return planRestore('client-a', backups, archive, { ...anyTarget, ...target });
}

function coded(code: string, rest: { message?: string; hint?: string } = {}) {
  const parts = Object.entries(rest).map(([key, text]) => [key, expect.stringContaining(text)]);
  return expect.objectContaining({ code, ...Object.fromEntries(parts) });
}

describe('planRestore along one timeline', () => {
  it('begins from the newest backup', () => {
    expect(plan(day, one)).toEqual({ backup: day[2], timeline: 1, time: undefined, warnings: [] });
  });

  it('begins from the newest one finished before the moment, compared as moments', () => {
    const at = (time: string): string => plan(day, one, { time: parseTime(time) }).backup.id;
    expect(at('2026-11-21 11:59:59Z')).toBe('b2');
    expect(at('2026-11-21 10:00:00Z')).toBe('b2');
    expect(at('2026-11-21 09:59:59.999999Z')).toBe('b1');
    expect(at('2026-11-21 12:30:00+02:00')).toBe('b2');
    expect(at('2026-11-21 06:30:00-06:00')).toBe('b3');
  });

  it('says the earliest moment where that is too early', () => {
    expect(() => plan(day, one, { time: '2026-11-21T07:59:59Z' })).toThrow(
      coded('RESTORE_TARGET', { hint: '2026-11-21T08:00:00.000Z' }),
    );
  });

  it('passes over a failed backup, unless it is named', () => {
    const backups = [backup('b1', 8, 3), backup('b2', 10, 5, { state: 'failed' })];
    expect(plan(backups, one).backup.id).toBe('b1');
    expect(plan(backups, one, { backupId: 'latest' }).backup.id).toBe('b1');
    const named = plan(backups, one, { backupId: 'b2' });
    expect(named.backup.id).toBe('b2');
    expect(named.warnings).toEqual([expect.stringContaining('b2 is failed')]);
    expect(() => plan([backup('b2', 10, 5, { state: 'failed' })], one)).toThrow(
      coded('BACKUP_NOT_FOUND', { hint: '--backup-name' }),
    );
  });

  it('warns of a backup that nothing was started from yet', () => {
    const { warnings } = plan([backup('b1', 8, 3, { state: 'complete' })], one);
    expect(warnings).toEqual(['backup b1 is complete, not verified']);
  });

  it('takes a named backup, also an older one, but not one that was finished too late', () => {
    expect(plan(day, one, { backupId: 'b1', time: '2026-11-21T11:00:00Z' }).backup.id).toBe('b1');
    expect(() => plan(day, one, { backupId: 'b3', time: '2026-11-21T11:00:00Z' })).toThrow(
      coded('RESTORE_TARGET', { message: 'b3 was finished at 2026-11-21T12:00:00.000Z', hint: '--backup-name' }),
    );
    expect(() => plan(day, one, { backupId: 'b9' })).toThrow(
      coded('BACKUP_NOT_FOUND', { message: '"b9"', hint: 'b1, b2, b3' }),
    );
  });

  it('says so when there is none at all', () => {
    expect(() => plan([], [])).toThrow(coded('BACKUP_NOT_FOUND', { hint: 'there are none' }));
    expect(() => plan([], one, { backupId: 'latest' })).toThrow(coded('BACKUP_NOT_FOUND', { hint: 'there are none' }));
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
    expect(plan(backups, branched, { time: '2026-11-21T13:00:00Z' }).backup.id).toBe('b2');
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
  });
});

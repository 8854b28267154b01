import { describe, expect, it } from '@jest/globals';
import { type ArchiveFacts, type ArchiverFacts, judgeArchive } from '../../../lib/diagnosis/archive.ts';
import { type BackupFacts, judgeBackups } from '../../../lib/diagnosis/backups.ts';
import { parseLsn } from '../../../lib/postgres/lsn.ts';
import { told } from './findings.ts';

const now = Date.parse('2026-11-22T12:00:00Z');
const minute = 60_000;
const segmentBytes = 16 * 1024 * 1024;

const archiver: ArchiverFacts = {
  mode: 'on',
  lastArchived: '000000010000000000000005',
  archivedMs: now - minute,
  lastFailed: '000000010000000000000003',
  failedMs: now - 2 * minute,
  failures: 3,
  currentLsn: '0/6000100',
  timeline: '00000001',
};
const numbers = (...list: number[]) => [{ timeline: 1, ancestors: [], numbers: list.map(BigInt) }];
const backup = (timelines: ArchiveFacts['timelines']) => ({
  id: 'nightly',
  span: { timeline: 1, startLsn: parseLsn('0/2000028'), stopLsn: parseLsn('0/3000000'), segmentBytes },
  timelines,
});
const well: ArchiveFacts = {
  name: 'shop',
  folder: '/b/shop/wal',
  there: true,
  writable: true,
  mode: 0o700,
  waiting: 7,
  oldestWaitingMs: now - 9 * minute,
  timelines: numbers(2, 3, 4, 5),
  backup: backup(numbers(2, 3, 4, 5)),
  archiver,
  nowMs: now,
};
const changed = (change: Partial<ArchiveFacts>) => judgeArchive({ ...well, ...change });
const says = (change: Partial<ArchiverFacts>) => changed({ archiver: { ...archiver, ...change } });

describe('an archive', () => {
  it('is well, also of a stopped server, of a new one and in a recovery', () => {
    expect(told(judgeArchive(well))).toEqual([]);
    expect(told(changed({ archiver: undefined }))).toEqual([]);
    const nothing = { lastArchived: null, archivedMs: null, lastFailed: null, failedMs: null };
    expect(told(changed({ archiver: { ...archiver, ...nothing }, timelines: [], backup: undefined }))).toEqual([]);
    expect(told(says({ currentLsn: null, timeline: null }))).toEqual([]);
  });

  it('missing or not writable', () => {
    const [missing] = changed({ there: false, writable: false, mode: undefined, timelines: [], backup: undefined });
    expect(missing).toMatchObject({ code: 'ARCHIVE_MISSING', severity: 'critical' });
    const [locked] = changed({ writable: false, mode: 0o500 });
    expect(locked).toMatchObject({ code: 'ARCHIVE_NOT_WRITABLE', remedy: 'chmod 0700 /b/shop/wal' });
    // Read-only file systems and foreign owners are not mended by a mode.
    expect(changed({ writable: false })[0]?.remedy).toBe('ls -ld /b/shop/wal');
  });

  it('fails when the last failure is newer than the last success', () => {
    expect(told(says({ failedMs: now - minute + 1 }))).toEqual(['critical ARCHIVE_FAILING']);
    const [never] = says({ archivedMs: null, lastArchived: null });
    expect(never?.cause).toContain('failed 2 min ago (3 failures); nothing was ever archived');
    expect(told(says({ mode: 'off' }))).toEqual(['critical ARCHIVE_OFF']);
  });

  it('waits: many files, or one for long', () => {
    expect(told(changed({ waiting: 8 }))).toEqual(['warning ARCHIVE_BACKLOG']);
    expect(told(changed({ waiting: 64 }))).toEqual(['critical ARCHIVE_BACKLOG']);
    expect(told(changed({ waiting: 1, oldestWaitingMs: now - 10 * minute }))).toEqual(['warning ARCHIVE_BACKLOG']);
    expect(told(changed({ waiting: 0, oldestWaitingMs: undefined }))).toEqual([]);
  });

  it('lags behind by four segments, and critically by 64', () => {
    expect(told(says({ currentLsn: '0/9FFFFFF' }))).toEqual([]);
    expect(told(says({ currentLsn: '0/A000000' }))).toEqual(['warning ARCHIVE_LAG']);
    expect(told(says({ currentLsn: '0/46000000' }))).toEqual(['critical ARCHIVE_LAG']);
  });

  it('has gaps: between two segments, and where the last one archived is gone', () => {
    const [between] = changed({ timelines: numbers(2, 3, 5), backup: backup(numbers(2, 3, 5)) });
    expect(between).toMatchObject({ code: 'WAL_GAP', severity: 'critical' });
    expect(between?.cause).toMatch(/^000000010000000000000004 is missing .* backup nightly/);
    expect(between?.remedy).toBe('./manage.ts --action backup --instance shop');
    const [end] = changed({ timelines: numbers(2, 3, 4), backup: undefined });
    expect(end?.cause).toMatch(/^000000010000000000000005 is missing/);
    // What is missing before the newest backup's start hurts no recovery from it.
    expect(told(changed({ timelines: numbers(5), backup: undefined }))).toEqual([]);
  });
});

const hour = 60 * minute;
const at = (hours: number): string => new Date(now - hours * hour).toISOString();
const one = (id: string, state: 'complete' | 'verified' | 'failed', hours: number) => ({
  id,
  state,
  finishedAt: at(hours),
});
const backups = (list: BackupFacts['backups'], more: Partial<BackupFacts> = {}) =>
  judgeBackups({ name: 'shop', createdAt: at(26), backups: list, leftovers: [], nowMs: now, ...more });

describe('backups', () => {
  it('none: forgiven to a new instance', () => {
    expect(told(backups([]))).toEqual(['info NO_BACKUP']);
    expect(told(backups([], { createdAt: at(27) }))).toEqual(['critical NO_BACKUP']);
  });

  it('the newest proven one: 26 hours, and seven days and a half', () => {
    expect(told(backups([one('a', 'verified', 26)]))).toEqual([]);
    expect(told(backups([one('a', 'verified', 26.1)]))).toEqual(['warning BACKUP_OLD']);
    expect(told(backups([one('a', 'verified', 181)]))).toEqual(['critical BACKUP_OLD']);
    expect(told(backups([one('a', 'verified', 30), one('b', 'complete', 1)]))).toEqual(['warning BACKUP_OLD']);
  });

  it('failed or never proven', () => {
    expect(told(backups([one('a', 'verified', 20), one('b', 'failed', 1)]))).toEqual(['critical BACKUP_FAILED']);
    const [unproven] = backups([one('a', 'complete', 1)]);
    expect(unproven).toMatchObject({ code: 'BACKUP_UNPROVEN', severity: 'warning' });
    expect(unproven?.remedy).toBe('./manage.ts --action verify-backup --instance shop --backup-name a');
    expect(told(backups([one('a', 'failed', 1)]))).toEqual(['critical BACKUP_FAILED', 'warning BACKUP_UNPROVEN']);
  });

  it('left over', () => {
    const [left] = backups([one('a', 'verified', 1)], { leftovers: ['/b/shop/base/.x.writing'] });
    expect(left).toMatchObject({ code: 'BACKUP_LEFTOVER', severity: 'warning' });
    expect(left?.fix).toBeUndefined();
  });
});

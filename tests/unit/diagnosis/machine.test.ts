import { describe, expect, it } from '@jest/globals';
import { judgeClock, judgeDisks, type Place } from '../../../lib/diagnosis/disk.ts';
import { judgeMachine, type MachineFacts } from '../../../lib/diagnosis/machine.ts';
import { limitOf, removesIpc } from '../../../lib/diagnosis/machine-facts.ts';
import { bytes, GB, MB } from '../../../lib/tuning/sizes.ts';
import { told } from './findings.ts';

const well: MachineFacts = {
  budgetShare: 0.8,
  installations: [{ bindir: '/usr/lib/postgresql/15/bin', major: 15, version: '15.18' }],
  incomplete: [],
  missing: [],
  account: { name: 'postgres', uid: 101 },
  unwritable: [],
  openFiles: 1100,
  processes: 500,
  sharedMemory: { sizeBytes: 128 * MB, freeBytes: 100 * MB },
  segments: { used: 10, max: 4096 },
  host: { memoryBytes: bytes(10 * GB), cores: 2 },
  committed: [
    { name: 'a', committedBytes: 3 * GB },
    { name: 'b', committedBytes: 5 * GB },
  ],
  processesNeeded: 500,
  removeIpc: false,
  overcommit: { mode: 0, limitBytes: GB, committedBytes: 2 * GB },
};

describe('the machine', () => {
  it('is well at every threshold', () => {
    expect(told(judgeMachine(well))).toEqual([]);
  });

  it.each<[string, Partial<MachineFacts>]>([
    ['critical NO_POSTGRES', { installations: [] }],
    ['info PROGRAMS_INCOMPLETE', { incomplete: ['/usr/lib/postgresql/14/bin'] }],
    ['critical PROGRAM_MISSING', { missing: ['tar'] }],
    ['info NO_FAST_COMPRESSION', { missing: ['zstd', 'lz4'] }],
    ['critical FOLDER_NOT_WRITABLE', { unwritable: ['/srv/backups'] }],
    ['warning OPEN_FILES_LOW', { openFiles: 1099 }],
    ['critical OPEN_FILES_LOW', { openFiles: 255 }],
    ['warning PROCESSES_LOW', { processes: 499 }],
    ['warning REMOVE_IPC', { removeIpc: true, account: { name: 'me', uid: 1000 } }],
    ['warning SHARED_MEMORY_SMALL', { sharedMemory: { sizeBytes: 64 * MB, freeBytes: 60 * MB } }],
    ['critical SHARED_MEMORY_FULL', { sharedMemory: { sizeBytes: GB, freeBytes: 100 * MB } }],
    ['warning SEGMENTS_LOW', { segments: { used: 4000, max: 4096 } }],
    ['warning MEMORY_OVERCOMMITTED', { committed: [{ name: 'a', committedBytes: 8.1 * GB }] }],
    ['critical MEMORY_OVERCOMMITTED', { committed: [{ name: 'a', committedBytes: 10.1 * GB }] }],
    ['info OVERCOMMIT_ALWAYS', { overcommit: { mode: 1, limitBytes: GB, committedBytes: 0 } }],
    ['warning OVERCOMMIT_LIMIT', { overcommit: { mode: 2, limitBytes: GB, committedBytes: 0.91 * GB } }],
  ])('%s', (finding, change) => {
    expect(told(judgeMachine({ ...well, ...change }))).toEqual([finding]);
  });

  it('is not blamed for what this system does not tell, nor for what spares accounts of the system', () => {
    const unknown = { openFiles: undefined, processes: undefined, sharedMemory: undefined, segments: undefined };
    expect(told(judgeMachine({ ...well, ...unknown, overcommit: undefined, removeIpc: true }))).toEqual([]);
    expect(told(judgeMachine({ ...well, missing: ['zstd'] }))).toEqual([]);
  });

  it('says with numbers who takes the memory', () => {
    const [finding] = judgeMachine({ ...well, host: { memoryBytes: bytes(8 * GB), cores: 2 } });
    expect(finding?.cause).toMatch(/8 GB, more than the budget of 6\.4 GB .*the largest is b\./);
    expect(finding?.remedy).toBe('./manage.ts --action stop --instance b');
  });
});

describe('what the system writes', () => {
  it('limits: the soft one, unlimited being none', () => {
    const text =
      'Limit                     Soft Limit           Hard Limit           Units\n' +
      'Max processes             unlimited            unlimited            processes\n' +
      'Max open files            1024                 524288               files\n';
    expect([limitOf(text, 'Max open files'), limitOf(text, 'Max processes'), limitOf('', 'Max processes')]).toEqual([
      1024,
      undefined,
      undefined,
    ]);
  });

  it('RemoveIPC: the last file that says it; a comment says nothing', () => {
    expect(removesIpc(['[Login]\n#RemoveIPC=yes\n'])).toBe(false);
    expect(removesIpc(['RemoveIPC=yes\n'])).toBe(true);
    expect(removesIpc(['RemoveIPC = yes\n', 'RemoveIPC=no\n'])).toBe(false);
  });
});

describe('disks', () => {
  const disk = (sizeBytes: number, freeBytes: number, inodes = 0, freeInodes = 0): Place => ({
    what: 'the root',
    path: '/srv',
    room: { device: 1, sizeBytes, freeBytes, inodes, freeInodes },
  });
  it.each<[string[], Place]>([
    [[], disk(100 * GB, 10 * GB)],
    [['warning DISK_SPACE_LOW'], disk(100 * GB, 9.9 * GB)],
    [['critical DISK_SPACE_LOW'], disk(100 * GB, 4.9 * GB)],
    [[], disk(10_000 * GB, 50 * GB)],
    [['warning DISK_SPACE_LOW'], disk(10_000 * GB, 49 * GB)],
    [['warning DISK_SPACE_LOW'], disk(2 * GB, 0.9 * GB)],
    [['critical DISK_SPACE_LOW'], disk(GB, 255 * MB)],
    [['warning INODES_LOW'], disk(100 * GB, 90 * GB, 1000, 99)],
    [['critical INODES_LOW'], disk(100 * GB, 90 * GB, 1000, 49)],
  ])('%j', (findings, place) => {
    expect(told(judgeDisks([place]))).toEqual(findings);
  });
});

describe('the clock', () => {
  it('is wrong where files are from the future, by more than a minute', () => {
    expect(judgeClock([{ path: '/a', ms: 60_000 }], 0)).toEqual([]);
    const [finding] = judgeClock(
      [
        { path: '/a', ms: 61_000 },
        { path: '/b', ms: 3 * 3_600_000 },
      ],
      0,
    );
    expect(finding).toMatchObject({ code: 'CLOCK_WRONG', severity: 'warning' });
    expect(finding?.cause).toContain('2 files are from the future, /b by 3 h');
  });
});

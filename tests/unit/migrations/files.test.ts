import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../../lib/errors.ts';
import { checksumOf, compareVersions, readMigrationFolder, readMigrations } from '../../../lib/migrations/files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgm-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(...names: string[]): void {
  for (const name of names) writeFileSync(join(folder, name), `SELECT '${name}';\n`);
}

function refusal(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('readMigrations', () => {
  it('orders by number, not by text', () => {
    put('10_ten.sql', '2_two.sql', '001_one.up.sql', '20240101120000123_late.sql', '20240101120000122_soon.sql');
    expect(readMigrations(folder).map(({ version, name }) => [version, name])).toEqual([
      ['001', 'one'],
      ['2', 'two'],
      ['10', 'ten'],
      ['20240101120000122', 'soon'],
      ['20240101120000123', 'late'],
    ]);
  });

  it('never takes a file that undoes for a forward migration', () => {
    put('002_0.sql', '002_0.down.sql', '003_a.sql', 'rollback_003_a.sql', '004_b.up.sql', '004_b.DOWN.sql');
    const { forward, down } = readMigrationFolder(folder);
    expect(forward.map(({ file }) => file)).toEqual(['002_0.sql', '003_a.sql', '004_b.up.sql']);
    expect(down.map(({ file, version }) => [version, file])).toEqual([
      ['002', '002_0.down.sql'],
      ['003', 'rollback_003_a.sql'],
      ['004', '004_b.DOWN.sql'],
    ]);
  });

  it('refuses two files of one version and names both', () => {
    put('1_a.sql', '001_b.sql');
    const error = refusal(() => readMigrations(folder));
    expect(error.code).toBe('MIGRATION_AMBIGUOUS');
    expect(error.message).toMatch(/001_b\.sql.*1_a\.sql/);
  });

  it.each(['seed.sql', '2-orders.sql', '003.sql', 'R_view.sql', 'rollback_all.sql', '004_.sql'])(
    'refuses %s, which fits no pattern',
    (name) => {
      put('001_a.sql', name);
      const error = refusal(() => readMigrations(folder));
      expect(error.code).toBe('MIGRATION_AMBIGUOUS');
      expect(error.message).toContain(name);
      expect(error.hint).toContain('NNN_name.sql');
    },
  );

  it('passes over what is not SQL and what is hidden', () => {
    put('001_a.sql', 'README.md', '001_a.sql~', '._001_a.sql');
    expect(readMigrations(folder)).toHaveLength(1);
  });

  it('says where there is nothing', () => {
    put('README.md', 'rollback_001_a.sql');
    expect(refusal(() => readMigrations(folder)).code).toBe('MIGRATIONS_NOT_FOUND');
    expect(refusal(() => readMigrations(join(folder, 'none'))).code).toBe('MIGRATIONS_NOT_FOUND');
  });

  it('takes the byte order mark off and leaves line ends alone', () => {
    writeFileSync(join(folder, '001_a.sql'), '\uFEFFSELECT 1;\r\n');
    expect(readMigrations(folder)[0]?.sql).toBe('SELECT 1;\r\n');
  });
});

describe('checksumOf', () => {
  it('is blind to a byte order mark and to the kind of line end, and to nothing else', () => {
    expect(checksumOf('\uFEFFa\r\nb')).toBe(checksumOf('a\nb'));
    expect(checksumOf('a\nb')).not.toBe(checksumOf('a\nb\n'));
    // printf 'a\nb' | sha256sum
    expect(checksumOf('a\r\nb')).toBe('7e18f737311b2dc3b2f269dd78396b0351f14fb66efa879f768cb23181883c78');
  });
});

describe('compareVersions', () => {
  it('compares numbers of any length', () => {
    expect(compareVersions('2', '10')).toBe(-1);
    expect(compareVersions('001', '1')).toBe(0);
    expect(compareVersions('9007199254740993', '9007199254740992')).toBe(1);
  });
});

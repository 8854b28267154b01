import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSeeds } from '../../../lib/migrations/seeds.ts';
import { putFiles } from '../../helpers/files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgm-seeds-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('readSeeds', () => {
  it('takes the SQL files of a folder in the order of their numbers, and what needs none', () => {
    const names = ['10_c.sql', '2_b.sql', 'demo.SQL', 'README.md', '.2_b.sql', 'rollback_2_b.sql', '2_b.down.sql'];
    putFiles(folder, Object.fromEntries(names.map((name) => [name, 'SELECT 1;'])));
    const { forward, repeatable } = readSeeds(folder);
    expect(forward).toEqual([]);
    expect(repeatable.map(({ file }) => file)).toEqual(['2_b.sql', '10_c.sql', 'demo.SQL']);
    expect(new Set(repeatable.map(({ version }) => version)).size).toBe(3);
  });

  it('takes one file', () => {
    putFiles(folder, { 'a.sql': 'SELECT 1;', 'b.sql': 'SELECT 2;' });
    expect(readSeeds(join(folder, 'b.sql')).repeatable).toMatchObject([{ file: 'b.sql', sql: 'SELECT 2;' }]);
  });

  it('refuses what is not there, or holds none', () => {
    expect(() => readSeeds(folder)).toThrow('holds no seed');
    expect(() => readSeeds(join(folder, 'a.sql'))).toThrow('there is no file');
    expect(() => readSeeds(join(folder, 'none'))).toThrow('there is no folder');
  });
});

import { expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { majorHasSetting, settingVersions } from '../../../lib/tuning/names.ts';

const majors = [13, 14, 15, 16, 17, 18].filter((major) => existsSync(`/usr/lib/postgresql/${major}/bin/postgres`));

// A server asked only to describe itself opens nothing, but it refuses root.
const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

it.each(majors)('knows every setting that PostgreSQL %d describes', (major) => {
  const program = `/usr/lib/postgresql/${major}/bin/postgres`;
  const text = execFileSync(program, ['--describe-config'], { encoding: 'utf8', cwd: '/', ...account });
  const names = text
    .trim()
    .split('\n')
    .map((line) => line.split('\t')[0]?.toLowerCase() ?? '');
  expect(names.length).toBeGreaterThan(250);
  expect(names.filter((name) => settingVersions(name) === undefined || !majorHasSetting(name, major))).toEqual([]);
});

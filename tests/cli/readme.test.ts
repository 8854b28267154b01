import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { exitStatus } from '../../lib/errors.ts';
import { projectDirectory } from '../../lib/host/project.ts';

const readme = readFileSync(join(projectDirectory, 'README.md'), 'utf8');
const manifest = JSON.parse(readFileSync(join(projectDirectory, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
};

describe('the README', () => {
  it('has the actions, rooms, error codes and numbers that there are, and a drawing that is true', () => {
    const check = spawnSync(process.execPath, [join(projectDirectory, 'docs', 'readme.mjs'), '--check']);
    expect({ status: check.status, stderr: String(check.stderr) }).toEqual({ status: 0, stderr: '' });
  });

  it('explains every exit status, and CONTRIBUTING every dependency', () => {
    const contributing = readFileSync(join(projectDirectory, 'CONTRIBUTING.md'), 'utf8');
    for (const status of Object.values(exitStatus)) expect(readme).toMatch(new RegExp(`^\\| ${status} \\| `, 'm'));
    for (const name of Object.keys(manifest.dependencies))
      expect(contributing).toMatch(new RegExp(`^\\| [^|]*\\b${name}\\b[^|]* \\| `, 'm'));
  });
});

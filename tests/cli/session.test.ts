import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { projectDirectory } from '../../lib/host/project.ts';

it('what the README shows of a session is what a terminal shows', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(projectDirectory, 'docs', 'session.mjs'), '--check']);
  expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' });
});

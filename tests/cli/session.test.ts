import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { projectDirectory } from '../../lib/host/project.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { leaveShareOfPorts } from '../helpers/ports.ts';

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await makeSandbox();
  expect((await sandbox.manage(['recover'])).code).toBe(0); // makes the host folder
  leaveShareOfPorts(sandbox, 'session');
});
afterAll(async () => await sandbox.cleanup());

it('what the README shows of a session is what a terminal shows', () => {
  const args = [join(projectDirectory, 'docs', 'session.mjs'), '--check'];
  const env = { ...process.env, PG_MANAGE_HOST: sandbox.host };
  const { status, stderr } = spawnSync(process.execPath, args, { env });
  expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' });
});

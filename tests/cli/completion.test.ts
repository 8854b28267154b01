import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { actions } from '../../lib/actions/index.ts';
import { makeSandbox, manageProgram, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let script: string;
beforeAll(async () => {
  sandbox = await makeSandbox();
  // A name is all that completion asks of an instance.
  for (const name of ['client-a', 'client-b']) mkdirSync(join(sandbox.root, 'instances', name), { recursive: true });
  script = join(sandbox.folder, 'completion.bash');
  writeFileSync(script, (await sandbox.manage(['completion', 'bash'])).stdout);
});
afterAll(async () => await sandbox.cleanup());

/** What bash offers behind these words, the last of which is being typed. */
function offered(...words: string[]): string[] {
  const program = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pg_manage; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { ...process.env, PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host };
  const args = ['-c', program, 'bash', script, manageProgram, ...words];
  return execFileSync('bash', args, { encoding: 'utf8', env }).trim().split('\n');
}

it.each([
  [['sta'], ['start', 'status']],
  [
    ['--action', 'sta'],
    ['start', 'status'],
  ],
  [
    ['status', 'client'],
    ['client-a', 'client-b'],
  ],
  [
    ['--action', 'stop', '--instance', ''],
    ['all', 'client-a', 'client-b'],
  ],
  [['create', 'x', '--max'], ['--max-connections']],
  [
    ['connect', 'client-a', '--format', 'n'],
    ['n8n', 'node-red'],
  ],
])('bash, behind %j', (words, expected) => {
  expect(offered(...words)).toEqual(expected);
});

it.each(['zsh', 'fish'])('%s gets a text too, with every action in it', async (shell) => {
  const { code, stdout } = await sandbox.manage(['completion', shell]);
  expect(code).toBe(0);
  for (const name of Object.keys(actions)) expect(stdout).toContain(name);
});

it('another shell is a usage error with the known ones', async () => {
  const { code, stderr } = await sandbox.manage(['completion', 'tcsh']);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('one of: bash, zsh, fish') });
});

it('the manual page has every action, and no letter that roff does not know', async () => {
  const { stdout } = await sandbox.manage(['manual']);
  for (const name of Object.keys(actions)) expect(stdout).toContain(`.SS ${name.replaceAll('-', String.raw`\-`)}\n`);
  expect(stdout).toMatch(/^[\n\x20-\x7e]*$/);
});

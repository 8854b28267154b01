import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { listFolder } from '../../lib/host/files.ts';
import { poll } from '../../lib/host/wait.ts';
import { beginProgram, type Finished, makeSandbox, manageProgram, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await makeSandbox();
  const both = ['--template', 'testing', '--jobs', '2', '--quiet'];
  await sandbox.create('blog,shop', ...both);
});
afterAll(async () => await sandbox.cleanup());

/** What a terminal of this size is sent. */
async function onTerminal(size: string, command: string): Promise<Finished> {
  return await beginProgram('script', ['-qec', `stty ${size}; ${command}`, '/dev/null'], {
    env: { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host, TERM: 'xterm', SHELL: '/bin/sh' },
  }).finished;
}

it.each(['cols 80 rows 24', 'cols 200 rows 50'])('on a terminal (%s) each has a row meanwhile', async (size) => {
  const { code, stdout } = await onTerminal(size, `exec ${manageProgram} backup all --no-verify --jobs 2 --no-color`);
  expect(code).toBe(0);
  const [first = ''] = stdout.split('2 instances: ');
  expect(first).toMatch(/blog +\d\.\d s.*\r\n.*shop +\d\.\d s/);
  expect(stdout).toMatch(/blog +\d\.\d s {2}base backup/);
  // The cursor is never hidden, and no screen but the caller's is used.
  expect(stdout).not.toContain('\u001b[?');
  const after = stdout.split('\u001b[J').at(-1) ?? '';
  expect(after.split('\r\n')).toEqual([
    expect.stringMatching(/^blog: backup \w+ is complete/),
    expect.stringMatching(/^shop: backup \w+ is complete/),
    expect.stringMatching(/^2 of 2 done in \d+\.\d s$/),
    '',
  ]);
});

it('where there is no room for all it shows who runs, and the counts', async () => {
  const command = `exec ${manageProgram} backup all --no-verify --no-color`;
  const { stdout } = await onTerminal('cols 80 rows 3', command);
  expect(stdout).toContain('2 instances: 1 running, 1 waiting');
  expect(stdout).not.toMatch(/shop +waiting/);
});

it('elsewhere it is a line for each step, and nothing with --quiet', async () => {
  const { stderr } = await sandbox.manage(['restart', 'all', '--jobs', '2']);
  const lines = stderr.trimEnd().split('\n');
  expect(lines.map((line) => line.replaceAll(/\d+\.\d/g, 'N')).toSorted()).toEqual([
    '2 of 2 done in N s',
    'blog: start N s',
    'blog: stop N s',
    'shop: start N s',
    'shop: stop N s',
  ]);
  const quiet = await sandbox.manage(['restart', 'all', '--quiet']);
  expect(quiet).toMatchObject({ code: 0, stdout: '', stderr: '' });
});

it('status of several is one table', async () => {
  const { stdout } = await sandbox.manage(['status', 'all']);
  const words = stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2).join(' '));
  expect(words).toEqual(['instance state', 'blog running', 'shop running', '']);
});

it('Ctrl-C is answered once, with who was interrupted and who had not begun', async () => {
  const running = sandbox.begin(['backup', 'all']);
  const queue = join(sandbox.host, 'backup-queue');
  const begun = (): true | undefined => (listFolder(queue).length > 0 ? true : undefined);
  await poll(begun, { signal: new AbortController().signal, timeoutMs: 20_000 });
  running.kill('SIGINT');
  const { code, stderr } = await running.finished;
  expect(code).toBe(130);
  const answer = stderr.split('\n').filter((line) => line.includes(' of 2 ') || line.startsWith('hint'));
  expect(answer).toEqual([
    '1 of 2 interrupted; what had not ended was undone: blog',
    '1 of 2 not begun, as it was interrupted: shop',
    'hint  the same command may be given again',
  ]);
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { beginProgram, makeSandbox, manageProgram, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let created: { stdout: string; stderr: string };
beforeAll(async () => {
  sandbox = await makeSandbox();
  created = await sandbox.create('client-a');
});
afterAll(async () => await sandbox.cleanup());

const escape = /\x1b|\r/;

describe('without a terminal', () => {
  it('create tells its steps on stderr, a line each, and what came of it on stdout', () => {
    expect(created.stdout).toMatch(/^client-a is running on port \d+ \(PostgreSQL \d+\)\n/);
    expect(created.stdout).toContain('./manage.ts connect client-a --format url');
    // A step that takes longer than a second says so in between.
    expect(created.stderr).toMatch(/^(client-a: \S.* (\d+\.\d s.*|\(\d+ s\))\n)+$/);
  });

  it.each([
    ['list'],
    ['status', 'client-a'],
    ['list-backups', 'client-a'],
    ['logs', 'client-a'],
    ['config'],
    ['status', 'nobody'],
  ])('%s %s writes no escape codes', async (...args) => {
    for (const env of [{ TERM: 'xterm-256color' }, { TERM: undefined, NO_COLOR: '1' }]) {
      const { stdout, stderr } = await sandbox.manage(args, { env });
      expect(stdout + stderr).not.toMatch(escape);
      expect(stdout + stderr).not.toBe('');
    }
  });

  it('--color asks for colour, --no-color forbids it whatever the environment says', async () => {
    const env = { FORCE_COLOR: '1' };
    expect((await sandbox.manage(['list', '--color'], { env })).stdout).toMatch(escape);
    expect((await sandbox.manage(['list', '--no-color'], { env })).stdout).not.toMatch(escape);
  });

  it('a reader that goes away is no error', async () => {
    const script = '"$0" --help | head -n 1';
    const finished = await beginProgram('/bin/sh', ['-c', script, manageProgram]).finished;
    expect(finished).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('data is on stdout, everything else on stderr', () => {
  it.each([['list'], ['status', 'client-a'], ['connect', 'client-a'], ['config']])('%s', async (...args) => {
    const { code, stdout, stderr } = await sandbox.manage(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/client|root/);
  });

  it('errors', async () => {
    const { stdout, stderr } = await sandbox.manage(['status', 'nobody']);
    expect(stdout).toBe('');
    expect(stderr).toBe('error no instance "nobody" [INSTANCE_NOT_FOUND]\nhint  there are: client-a\n');
  });

  it('--verbose adds where an error comes from', async () => {
    const { stderr } = await sandbox.manage(['status', 'nobody', '--verbose']);
    expect(stderr).toMatch(/\n\s+at /);
  });
});

describe('--quiet', () => {
  it.each([
    ['start', 'client-a'],
    ['status', 'client-a'],
    ['status', 'all'],
    ['list-backups', 'client-a'],
    ['backup', 'client-a', '--no-verify'],
    ['restart', 'client-a'],
    ['stop', 'client-a', '--dry-run'],
  ])('%s %s prints nothing when all is well', async (...args) => {
    const finished = await sandbox.manage([...args, '--quiet']);
    expect(finished).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('failures still print', async () => {
    const { code, stdout, stderr } = await sandbox.manage(['status', 'nobody', '--quiet']);
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toContain('no instance "nobody"');
  });

  it('an instance that should run and does not is told of, or cron would hide it', async () => {
    await sandbox.manage(['stop', 'client-a', '--quiet']);
    const { code, stdout, stderr } = await sandbox.manage(['status', 'all', '--quiet']);
    expect(code).toBe(3);
    expect(stdout + stderr).toMatch(/client-a[^]*stopped/);
    await sandbox.manage(['start', 'client-a', '--quiet']);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { ourselves } from '../../lib/host/processes.ts';
import { listTree, makeSandbox, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('client-a');
});
afterAll(async () => await sandbox.cleanup());

describe('both forms mean the same', () => {
  it.each([
    [['--action', 'status', '--instance', 'client-a', '--json']],
    [['--instance=client-a', '--json', '--action=status']],
    [['-a', 'status', '-i', 'client-a', '--json']],
    [['--json', 'status', 'client-a']],
    [['status', '--json', '--instance', 'client-a']],
    [['--instance', 'client-a', '--json']],
  ])('%j', async (args) => {
    const { code, json } = await sandbox.manage(args);
    expect({ code, ...json() }).toMatchObject({ code: 0, action: 'status', instance: 'client-a', ok: true });
  });

  it('without an instance it is main, as in the old tool', async () => {
    const { code, stderr } = await sandbox.manage(['status']);
    expect(stderr).toContain('none was named, and there is no instance "main"');
    expect(code).toBe(4);
  });
});

describe('0: done, or already so', () => {
  it('start of a running instance, stop of a stopped one', async () => {
    const states: string[] = [];
    for (const action of ['start', 'stop', 'stop', 'start']) {
      const { code, json } = await sandbox.manage([action, 'client-a', '--json']);
      expect(code).toBe(0);
      states.push(json().data.state);
    }
    expect(states).toEqual(['running', 'stopped', 'stopped', 'running']);
  });
});

it('1: a port that another program has; the program is named', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    const { code, json } = await sandbox.manage(['create', 'other', '--port', String(port), '--json']);
    const { error } = json();
    expect({ code, ...error }).toMatchObject({ code: 'PORT_IN_USE', exitCode: 1 });
    expect(code).toBe(1);
    expect(error?.message).toMatch(`port ${port} is held by process ${process.pid} (`);
    expect(listTree(join(sandbox.root, 'instances'))).not.toContainEqual(expect.stringContaining('other'));
    expect(existsSync(join(sandbox.host, 'leases', `${port}.json`))).toBe(false);
  } finally {
    server.close();
  }
});

it('1: a port that another instance has; the instance is named', async () => {
  const { port } = (await sandbox.manage(['status', 'client-a', '--json'])).json().data;
  const { code, json } = await sandbox.manage(['create', 'other', '--port', String(port), '--json']);
  expect(json().error?.message).toMatch(`port ${port} is held by instance client-a of`);
  expect(code).toBe(1);
});

describe('2: destroy without --yes and without a terminal', () => {
  it.each([
    ['client-a', undefined],
    ['client-a', 'client-a\n'],
    ['all', 'yes\n'],
  ])('%s with %j to read is refused, and nothing has changed', async (selector, input) => {
    const before = listTree(sandbox.folder);
    const options = input === undefined ? {} : { input };
    const { code, stdout, stderr } = await sandbox.manage(['destroy', selector], options);
    expect(stderr).toContain('[CONFIRMATION_REQUIRED]');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(listTree(sandbox.folder)).toEqual(before);
    expect((await sandbox.manage(['status', 'client-a'])).code).toBe(0);
  });

  it('so is a restore over the living instance', async () => {
    expect(await sandbox.manage(['restore', 'client-a'])).toMatchObject({ code: 2, stdout: '' });
  });
});

it('4: no such instance, no such backup', async () => {
  for (const args of [
    ['start', 'nobody'],
    ['stop', 'nobody'],
    ['logs', 'nobody'],
    ['connect', 'nobody'],
    ['destroy', 'nobody', '--yes'],
    ['list-backups', 'nobody'],
    ['verify-backup', 'client-a'],
    ['restore', 'client-a', '--yes', '--backup-name', 'none'],
  ]) {
    const { code, stderr } = await sandbox.manage(args);
    expect(stderr).toMatch(/\[(INSTANCE|BACKUP)_NOT_FOUND\]/);
    expect(code).toBe(4);
  }
});

describe('75: another operation has the lock', () => {
  const holder = { mode: 'exclusive', action: 'restore', since: '2026-11-21T10:15:00.000Z', process: ourselves() };

  it('past --lock-timeout; the holder is named, nothing is done', async () => {
    const folder = join(sandbox.root, '.pg-manage', 'locks', 'client-a');
    mkdirSync(folder, { recursive: true });
    const file = join(folder, 'held-by-the-test.json');
    writeFileSync(file, JSON.stringify(holder));
    try {
      const { code, stderr } = await sandbox.manage(['stop', 'client-a', '--lock-timeout', '1']);
      expect(stderr).toContain(
        `instance client-a is busy: restore (process ${process.pid}) since 2026-11-21T10:15:00.000Z [LOCKED]`,
      );
      expect(stderr).toContain('--lock-timeout');
      expect(code).toBe(75);
      expect((await sandbox.manage(['status', 'client-a', '--json'])).json().data.state).toBe('running');
      const told = (await sandbox.manage(['stop', 'client-a', '--lock-timeout', '0', '--json'])).json();
      expect(told.error).toMatchObject({ code: 'LOCKED', exitCode: 75, data: { holders: [holder] } });
    } finally {
      rmSync(file);
    }
  });

  it('a holder that has died holds nothing', async () => {
    const folder = join(sandbox.root, '.pg-manage', 'locks', 'client-a');
    const file = join(folder, 'held-by-the-dead.json');
    writeFileSync(file, JSON.stringify({ ...holder, process: { ...ourselves(), started: '1' } }));
    expect((await sandbox.manage(['start', 'client-a', '--lock-timeout', '1'])).code).toBe(0);
    rmSync(file, { force: true });
  });
});

// Last, for it leaves the instance stopped.
it('3: the instance is stopped', async () => {
  await sandbox.manage(['stop', 'client-a']);
  const { code, stdout } = await sandbox.manage(['status', 'client-a']);
  expect(stdout).toMatch(/^state +stopped$/m);
  expect(code).toBe(3);
  expect((await sandbox.manage(['status', 'all'])).code).toBe(3);
  expect((await sandbox.manage(['backup', 'client-a'])).code).toBe(3);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { type Finished, makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { Crontab } from '../helpers/crontab.ts';

let sandbox: Sandbox;
let folder: string;
let crontab: Crontab;
let service: Server;
const pings: string[] = [];

const schedule = async (...args: string[]): Promise<Finished> =>
  await sandbox.manage(['schedule', ...args, '--with', 'cron', '--json'], { env: crontab.env });
const backups = (): string[] => readdirSync(join(sandbox.root, 'backups', 'shop', 'base')).sort();

beforeAll(async () => {
  sandbox = await makeSandbox();
  crontab = new Crontab(sandbox);
  folder = join(sandbox.root, '.pg-manage', 'schedule');
  service = createServer((request, response) => {
    pings.push(request.url ?? '');
    response.end();
  }).listen(0, '127.0.0.1');
  await sandbox.create('shop', '--template', 'testing');
});

afterAll(async () => {
  service.close();
  await sandbox.cleanup();
});

describe('schedule', () => {
  it('shows what it would install, and touches nothing without a yes', async () => {
    const wanted = ['all', '--backup', '0 2 * * *', '--prove', 'weekly', '--keep', '1', '--jitter', '0'];
    expect(dataOf(await schedule(...wanted, '--dry-run')).scripts).toEqual([
      join(folder, 'backup'),
      join(folder, 'prove'),
    ]);
    expect((await schedule(...wanted)).json()).toMatchObject({ error: { code: 'CONFIRMATION_REQUIRED' } });
    expect(existsSync(folder)).toBe(false);
    expect(crontab.text()).toBe(Crontab.others);
  });

  it('installs lines that back up, clean up and tell the service, silently, in the environment of cron', async () => {
    const { port } = service.address() as AddressInfo;
    const ping = `http://127.0.0.1:${port}/abc`;
    const wanted = [
      'all',
      '--backup',
      '0 2 * * *',
      '--prove',
      'weekly',
      '--keep',
      '1',
      '--jitter',
      '0',
      '--ping',
      ping,
    ];
    dataOf(await schedule(...wanted, '--yes'));
    expect(crontab.text()).toContain(Crontab.others);
    expect(crontab.lines()).toHaveLength(4);
    const [backup = '', , prove = ''] = crontab.lines();
    for (let run = 0; run < 2; run++) {
      expect(await crontab.run(backup)).toMatchObject({ code: 0, stdout: '', stderr: '' });
    }
    expect(pings).toEqual(['/abc/start', '/abc', '/abc/start', '/abc']);
    expect(backups()).toHaveLength(1);
    expect(dataOf(await sandbox.manage(['list-backups', 'shop', '--json'])).backups).toMatchObject([
      { state: 'verified' },
    ]);
    expect(await crontab.run(prove)).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(dataOf(await sandbox.manage(['status', 'shop', '--json'])).protection.proof).toMatchObject({ ok: true });
  });

  it('makes up for a run that was missed, once', async () => {
    const [, missed = ''] = crontab.lines();
    const before = backups();
    expect((await crontab.run(missed)).code).toBe(0);
    expect(backups()).toEqual(before);
    const longAgo = Date.now() / 1000 - 26 * 3600;
    utimesSync(join(folder, 'backup.begun'), longAgo, longAgo);
    expect(await crontab.run(missed)).toMatchObject({ code: 0, stdout: '' });
    expect(backups()).not.toEqual(before);
    const after = backups();
    expect((await crontab.run(missed)).code).toBe(0);
    expect(backups()).toEqual(after);
  });

  it('says what failed, tells the service, and removes nothing then', async () => {
    const [backup = ''] = crontab.lines();
    const before = backups();
    pings.length = 0;
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    const failed = await crontab.run(backup);
    expect(failed.code).toBe(3);
    expect(failed.stderr).toContain('INSTANCE_NOT_RUNNING');
    expect(pings).toEqual(['/abc/start', '/abc/fail']);
    expect(backups()).toEqual(before);
  });

  it('does its work when the service is gone', async () => {
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
    const unreachable = ['--ping', 'http://127.0.0.1:9/abc'];
    const quiet = await sandbox.manage(['backup', 'shop', '--backup-name', 'alone', '--quiet', ...unreachable]);
    expect(quiet).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(backups()).toContain('alone');
    expect(readFileSync(join(sandbox.root, '.pg-manage', 'audit.jsonl'), 'utf8')).not.toContain('127.0.0.1:9');
  });

  it('does not begin while the run before goes on', async () => {
    const [backup = ''] = crontab.lines();
    const before = backups();
    const { uid, gid } = serviceAccount() ?? {};
    const held = spawn('/usr/bin/flock', [join(folder, 'backup.lock'), '/bin/sh', '-c', 'echo held; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
      ...(uid === undefined ? {} : { uid, gid }),
    });
    await once(held.stdout, 'data');
    try {
      expect(await crontab.run(backup)).toMatchObject({ code: 0, stdout: '', stderr: '' });
      expect(backups()).toEqual(before);
    } finally {
      process.kill(-(held.pid ?? 0), 'SIGTERM');
      await once(held, 'close');
    }
  });

  it('is shown, and removed again', async () => {
    expect(dataOf(await schedule('--show')).crontab).toHaveLength(6);
    dataOf(await schedule('--remove', '--yes'));
    expect(crontab.text()).toBe(Crontab.others);
    expect(existsSync(folder)).toBe(false);
    expect(dataOf(await schedule('--show'))).toMatchObject({ crontab: [], units: [] });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { readPostmasterFile } from '../../lib/postgres/postmaster.ts';
import { dataOf } from '../helpers/answer.ts';
import { poll } from '../../lib/host/wait.ts';
import { beginProgram, makeSandbox, manageProgram, type Sandbox } from '../helpers/cli.ts';
import { addressOf } from '../helpers/database.ts';

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing', '--max-connections', '20');
});

afterAll(async () => {
  await sandbox.cleanup();
});

describe('status', () => {
  it('answers when clients have taken every connection, says who, and stop still works', async () => {
    const { url } = await addressOf(sandbox, 'shop');
    const clients: pg.Client[] = [];
    for (;;) {
      const client = new pg.Client({ connectionString: url, application_name: 'greedy' });
      client.on('error', () => undefined);
      try {
        await client.connect();
      } catch (error) {
        expect((error as Error).message).toMatch(/too many clients|remaining connection slots/);
        break;
      }
      clients.push(client);
    }
    const { connections, clients: groups } = dataOf(await sandbox.manage(['status', 'shop', '--json']));
    expect(connections).toEqual({ used: clients.length, max: 20, reserved: 3 });
    expect(groups[0]).toMatchObject({ user: 'shop', application: 'greedy', state: 'idle', count: clients.length });
    expect((await sandbox.manage(['status', 'shop'])).stdout).toContain(`${clients.length} idle of shop (greedy)`);
    expect(dataOf(await sandbox.manage(['backup', 'shop', '--no-verify', '--json']))).toMatchObject({
      state: 'complete',
    });
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    await Promise.allSettled(clients.map(async (client) => await client.end()));
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
  });

  it('tells what it does and what it takes of the disk', async () => {
    const { activity, disk, scheduled } = dataOf(await sandbox.manage(['status', 'shop', '--json']));
    expect(Date.now() - Date.parse(activity.startedAt)).toBeLessThan(120_000);
    expect(activity).toMatchObject({ transactionsPerSecond: null, cacheHitRatio: expect.any(Number) });
    expect(scheduled).toEqual({ jobs: [], autostart: false });
    // An empty PostgreSQL is 20 to 40 MB, and has a segment of WAL at least.
    expect(disk.dataBytes / 2 ** 20).toBeGreaterThan(15);
    expect(disk.dataBytes / 2 ** 20).toBeLessThan(60);
    expect(disk.walBytes).toBeGreaterThanOrEqual(16 * 2 ** 20);
    expect(disk.freeBytes).toBeGreaterThan(2 ** 20);
  });

  it('measures transactions a second for who looks at a terminal', async () => {
    const { url } = await addressOf(sandbox, 'shop');
    const env = { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host, TERM: 'xterm', SHELL: '/bin/sh' };
    const look = beginProgram(
      'script',
      ['-qec', `stty cols 80; exec ${manageProgram} status shop --no-color`, '/dev/null'],
      {
        env,
      },
    );
    let over = false;
    const finished = look.finished.finally(() => (over = true));
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    while (!over) await client.query('select 1');
    await client.end();
    const { stdout } = await finished;
    expect(Number(/([\d.]+) transactions\/s/.exec(stdout)?.[1])).toBeGreaterThan(5);
    for (const line of stdout.split('\n').filter((words) => !words.startsWith('data ')))
      expect(line.trimEnd().length).toBeLessThanOrEqual(80);
  });

  it('says of a server that stops and waits for its sessions that it is stopping', async () => {
    const { url } = await addressOf(sandbox, 'shop');
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { dataDirectory } = dataOf(await sandbox.manage(['status', 'shop', '--json'])) as { dataDirectory: string };
    process.kill(readPostmasterFile(dataDirectory)?.pid ?? 0, 'SIGTERM');
    const stopping = (): true | undefined => readPostmasterFile(dataDirectory)?.status === 'stopping' || undefined;
    await poll(stopping, { signal: new AbortController().signal, timeoutMs: 10_000 });
    const { code, stdout } = await sandbox.manage(['status', 'shop']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^state +running\nwhy +stopping: /m);
    await client.end();
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
  });

  it('says of a server that stands still that it does not answer, and neither hangs nor harms it', async () => {
    const { dataDirectory } = dataOf(await sandbox.manage(['status', 'shop', '--json'])) as { dataDirectory: string };
    const pid = readPostmasterFile(dataDirectory)?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      const status = await sandbox.manage(['status', 'shop', '--json'], { timeoutMs: 10_000 });
      expect(status.code).toBe(3);
      expect(status.json().data).toMatchObject({ state: 'starting' });
      expect(status.json().data.message).toContain('does not answer');
      const stopped = await sandbox.manage(['stop', 'shop', '--timeout', '1', '--json'], { timeoutMs: 20_000 });
      expect([stopped.code, stopped.json().error?.code]).toEqual([1, 'STOP_TIMEOUT']);
      const started = await sandbox.manage(['start', 'shop', '--timeout', '2', '--json'], { timeoutMs: 20_000 });
      expect([started.code, started.json().error?.code]).toEqual([6, 'STILL_STARTING']);
      expect(started.json().error?.message).toContain('does not answer');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    // The stop that was asked for comes to pass now, by the server itself.
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
  });
});

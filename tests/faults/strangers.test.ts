import { chmodSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { holdersOf } from '../../lib/host/locks.ts';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, superQuery } from '../helpers/database.ts';
import { expectInvariants } from '../helpers/invariants.ts';

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing');
});

afterAll(async () => {
  await sandbox.cleanup();
});

async function listen(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

async function findings(): Promise<[number, string][]> {
  const { stdout } = await sandbox.manage(['ports', '--json']);
  const { ports } = (JSON.parse(stdout) as { data: { ports: { port: number; finding: string }[] } }).data;
  return ports.map(({ port, finding }) => [port, finding]);
}

describe("a stopped instance's port", () => {
  it('taken by another program: start names it, ports flags it, --port auto moves the instance', async () => {
    const { port } = await addressOf(sandbox, 'shop');
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    const stranger = await listen(port);
    try {
      const refused = await sandbox.manage(['start', 'shop', '--json']);
      expect([refused.code, refused.json().error?.code]).toEqual([1, 'PORT_IN_USE']);
      expect(refused.json().error?.message).toContain(String(process.pid));
      expect(refused.json().error?.hint).toContain('--port auto');
      expect(await findings()).toEqual([[port, 'stranger']]);
      expect((await sandbox.manage(['ports'])).code).toBe(1);

      const moved = dataOf(
        await sandbox.manage(['start', 'shop', '--port', 'auto', '--port-range', sandbox.portRange, '--json']),
      );
      expect(moved.state).toBe('running');
      expect(moved.port).not.toBe(port);
      expect(await findings()).toEqual([[moved.port, 'ok']]);
      await expectInvariants(sandbox);
    } finally {
      stranger.close();
    }
  });
});

describe('a lock that is held', () => {
  it('makes others wait, who say for whom; reading never waits', async () => {
    const first = sandbox.begin(['backup', 'shop']);
    const { signal } = new AbortController();
    const locked = (): true | undefined =>
      holdersOf(join(sandbox.root, '.pg-manage', 'locks', 'shop')).length > 0 ? true : undefined;
    expect(await poll(locked, { signal, timeoutMs: 30_000 })).toBe(true);
    // The backup holds the instance together with others; a stop must have it alone.
    const stop = sandbox.begin(['stop', 'shop']);
    const [status, list] = await Promise.all([sandbox.manage(['status', 'shop']), sandbox.manage(['list'])]);
    expect([status.code, list.code]).toEqual([0, 0]);
    expect((await first.finished).code).toBe(0);
    const stopped = await stop.finished;
    expect(stopped.code).toBe(0);
    expect(stopped.stderr).toMatch(new RegExp(`waiting for backup \\(process ${first.pid}\\) since \\d{4}-`));
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
  });
});

describe('a repository folder that may not be written (EACCES)', () => {
  it('holds up the archive and fails a backup; both go on when it may', async () => {
    const wal = join(sandbox.root, 'backups', 'shop', 'wal');
    const base = join(sandbox.root, 'backups', 'shop', 'base');
    chmodSync(wal, 0o500);
    chmodSync(base, 0o500);
    const backup = await sandbox.manage(['backup', 'shop', '--json']);
    expect([backup.code, backup.json().error?.code]).toEqual([1, 'FILE_ACCESS']);
    expect(backup.json().error?.message).toContain(base);
    await superQuery(sandbox, 'shop', 'select pg_switch_wal()');
    expect((await sandbox.manage(['status', 'shop'])).code).toBe(0);
    chmodSync(wal, 0o700);
    chmodSync(base, 0o700);
    expect(dataOf(await sandbox.manage(['backup', 'shop', '--json']))).toMatchObject({ state: 'verified' });
    await expectInvariants(sandbox);
  });
});

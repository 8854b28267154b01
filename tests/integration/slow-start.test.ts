import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { commandLine, sendSignal, standingIn } from '../../lib/host/processes.ts';
import { pause, poll } from '../../lib/host/wait.ts';
import { livePostmaster, readPostmasterFile } from '../../lib/postgres/postmaster.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, query, superQuery } from '../helpers/database.ts';

const recoveryMs = 30_000;

let sandbox: Sandbox;
let data: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  // No checkpoint takes the work from the recovery.
  await sandbox.create('shop', '--template', 'minimal', '--set', 'checkpoint_timeout=1d,max_wal_size=8GB');
  data = (dataOf(await sandbox.manage(['status', 'shop', '--json'])) as { dataDirectory: string }).dataDirectory;
});

afterAll(async () => {
  await sandbox.cleanup();
});

/** Lets the recovery of `shop` work for a two-hundredth of the time, until the time is over: a slow disk, as far as it can tell. */
async function slowDown(forMs: number): Promise<void> {
  const ends = Date.now() + forMs;
  const signal = (name: NodeJS.Signals): void => {
    const recovering = standingIn(data).filter((pid) => commandLine(pid).join(' ').includes(': startup'));
    for (const pid of recovering) sendSignal(pid, name);
  };
  for (let ranMs = 5; Date.now() < ends;) {
    signal('SIGSTOP');
    await pause(199 * ranMs);
    const begun = Date.now();
    signal('SIGCONT');
    await pause(5);
    ranMs = Date.now() - begun; // longer than it was to be, where this process is kept waiting
  }
  signal('SIGCONT');
}

async function killServer(): Promise<void> {
  const { pid = 0 } = readPostmasterFile(data) ?? {};
  process.kill(pid, 'SIGKILL');
  const { signal } = new AbortController();
  const gone = (): true | undefined => (standingIn(data).length === 0 ? true : undefined);
  expect(await poll(gone, { signal, timeoutMs: 20_000 })).toBe(true);
}

describe('a server with a long recovery', () => {
  it('is waited for while it gets on, with what it does told; --timeout ends the waiting and nothing else', async () => {
    const address = await addressOf(sandbox, 'shop');
    await query(
      address,
      'create table big as select n, repeat(md5(n::text), 8) as filler from generate_series(1, 400000) n',
    );
    for (let round = 0; round < 2; round++) await query(address, 'update big set n = n + 1');
    const [written] = await superQuery<{ rows: number }>(sandbox, 'shop', 'select 1 as rows');
    expect(written).toEqual({ rows: 1 });
    await killServer();
    expect(dataOf(await sandbox.manage(['list', '--json']))).toMatchObject({ instances: [{ state: 'crashed' }] });

    let isSlow = true;
    const slow = slowDown(recoveryMs).finally(() => (isSlow = false));
    const early = await sandbox.manage(['start', 'shop', '--timeout', '2', '--json']);
    expect([early.code, early.json().error?.code]).toEqual([6, 'STILL_STARTING']);
    const { pid } = livePostmaster(data) ?? {};
    expect(pid).toBeGreaterThan(0);

    const started = await sandbox.manage(['start', 'shop']);
    expect(isSlow).toBe(false); // it was waited for to the end
    await slow;
    expect(started.code).toBe(0);
    expect(livePostmaster(data)?.pid).toBe(pid);
    const told = started.stderr.split('\n').filter((line) => /: .+ \(\d+ s\)$/.test(line));
    expect(told.length).toBeGreaterThanOrEqual(2);
    expect(told.join('\n')).toMatch(/redo at [0-9A-F]+\/[0-9A-F]+/);
    expect(await query(await addressOf(sandbox, 'shop'), 'select count(*)::int as count from big')).toEqual([
      { count: 400_000 },
    ]);
  });
});

describe('a stop', () => {
  it('gives a session at work a moment to end it', async () => {
    const client = new pg.Client({ connectionString: (await addressOf(sandbox, 'shop')).url });
    client.on('error', () => undefined);
    await client.connect();
    const work = client.query('select pg_sleep(2), 42 as answer');
    await pause(200);
    const stopped = await sandbox.manage(['stop', 'shop']);
    expect((await work).rows[0]).toMatchObject({ answer: 42 });
    await client.end();
    expect(stopped.code).toBe(0);
    expect(livePostmaster(data)).toBeUndefined();
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
  });
});

describe('another PostgreSQL on the port', () => {
  it('is never taken for the instance', async () => {
    const { port } = await addressOf(sandbox, 'shop');
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    // Its leases are kept elsewhere, so it knows nothing of ours.
    const elsewhere = await makeSandbox();
    try {
      dataOf(await elsewhere.manage(['create', 'other', '--template', 'testing', '--port', String(port), '--json']));
      const refused = await sandbox.manage(['start', 'shop', '--json']);
      expect([refused.code, refused.json().error?.code]).toEqual([1, 'PORT_IN_USE']);
      expect(refused.json().error?.message).toContain('postgres');
      expect((await sandbox.manage(['status', 'shop'])).code).toBe(3);
      expect((await elsewhere.manage(['status', 'other'])).code).toBe(0);
    } finally {
      await elsewhere.cleanup();
    }
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
  });
});

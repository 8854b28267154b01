import { execFileSync } from 'node:child_process';
import { appendFileSync, closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { pidExists } from '../../lib/host/processes.ts';
import { poll } from '../../lib/host/wait.ts';
import { livePostmaster } from '../../lib/postgres/postmaster.ts';
import { listen } from '../helpers/ailing.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, query } from '../helpers/database.ts';

let sandbox: Sandbox;
let data: string;
const { signal } = new AbortController();

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing');
  data = join(sandbox.root, 'instances', 'shop', 'data');
});
afterAll(async () => await sandbox.cleanup());

async function until<T>(look: () => T | undefined): Promise<T> {
  const found = await poll(look, { signal, timeoutMs: 30_000, maxMs: 5 });
  if (found === undefined) throw new Error('it has not come to that within 30 s');
  return found;
}

describe('a stop that a session holds up', () => {
  it('names the session, leaves the server alone, and comes to pass when the session ends', async () => {
    const client = new pg.Client({ connectionString: (await addressOf(sandbox, 'shop')).url });
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const session = rows[0]?.pid ?? 0;
    const server = livePostmaster(data)?.pid ?? 0;
    process.kill(session, 'SIGSTOP');
    try {
      const stopped = await sandbox.manage(['stop', 'shop', '--timeout', '1', '--json'], { timeoutMs: 20_000 });
      const { error } = stopped.json();
      expect([stopped.code, error?.code]).toEqual([1, 'STOP_TIMEOUT']);
      expect(error?.message).toMatch(
        new RegExp(`it waits for process ${session} \\(shop shop 127.0.0.1\\(\\d+\\) idle\\)`),
      );
      expect(error?.data).toMatchObject({ holders: [{ pid: session }] });
      expect(error?.hint).toContain(`ps -fp ${session}`);
      expect([pidExists(server), pidExists(session)]).toEqual([true, true]);
      const status = await sandbox.manage(['status', 'shop', '--json'], { timeoutMs: 10_000 });
      expect(status.code).toBe(3);
      expect(status.json().data).toMatchObject({ state: 'running', message: expect.stringMatching(/^stopping: /) });
    } finally {
      process.kill(session, 'SIGCONT');
    }
    await until(() => (pidExists(server) ? undefined : true));
    expect((await sandbox.manage(['status', 'shop', '--json'])).json().data).toMatchObject({ state: 'stopped' });
  });
});

describe('a server that is stopped by a signal while it starts', () => {
  it('is waited for to the end of the time and left alone: 6; it comes up by itself', async () => {
    // It cannot get past writing its number into a pipe that nobody reads, before it looks at its data.
    const pipe = join(sandbox.folder, 'external-pid');
    execFileSync('mkfifo', ['--mode=666', pipe]);
    const conf = join(data, 'postgresql.conf');
    const before = readFileSync(conf, 'utf8');
    appendFileSync(conf, `external_pid_file = '${pipe}'\n`);
    const starting = sandbox.begin(['start', 'shop', '--timeout', '3', '--json']);
    const pid = await until(() => livePostmaster(data)?.pid);
    process.kill(pid, 'SIGSTOP');
    writeFileSync(conf, before);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { code, json } = await starting.finished;
      expect([code, json().error?.code]).toEqual([6, 'STILL_STARTING']);
      expect(json().error?.message).toContain(`process ${pid}`);
      const again = await sandbox.manage(['start', 'shop', '--timeout', '2', '--json'], { timeoutMs: 20_000 });
      expect([again.code, again.json().error?.code]).toEqual([6, 'STILL_STARTING']);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect(dataOf(await sandbox.manage(['start', 'shop', '--json']))).toMatchObject({ state: 'running' });
    closeSync(reader);
    expect(livePostmaster(data)?.pid).toBe(pid);
  });
});

describe('a port that accepts and never answers', () => {
  it('is never taken for the instance by status, connect or start, and none of them hangs', async () => {
    const { port } = await addressOf(sandbox, 'shop');
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    const stranger = await listen(port);
    try {
      const limited = { timeoutMs: 15_000 };
      const status = await sandbox.manage(['status', 'shop', '--json'], limited);
      expect([status.code, status.json().data?.state]).toEqual([3, 'stopped']);
      const started = await sandbox.manage(['start', 'shop', '--json'], limited);
      expect([started.code, started.json().error?.code]).toEqual([1, 'PORT_IN_USE']);
      expect(stranger.listening).toBe(true);
    } finally {
      stranger.close();
      await once(stranger, 'close');
    }
  });
});

describe('several instances', () => {
  it('one that cannot be started holds up no other; the summary says which and why, and the status is 5', async () => {
    await sandbox.create('after', '--template', 'testing');
    expect((await sandbox.manage(['stop', 'all'])).code).toBe(0);
    const conf = join(data, 'postgresql.conf');
    const before = readFileSync(conf, 'utf8');
    appendFileSync(conf, 'wrok_mem = 4MB\n');
    const started = await sandbox.manage(['start', 'shop,after', '--jobs', '1', '--json']);
    expect(started.code).toBe(5);
    expect(started.json()).toMatchObject({
      ok: false,
      error: { code: 'SOME_FAILED', exitCode: 5 },
      results: [
        { instance: 'shop', ok: false, error: { code: 'BAD_CONFIGURATION', exitCode: 1 } },
        { instance: 'after', ok: true, data: { state: 'running' } },
      ],
    });
    expect(await query(await addressOf(sandbox, 'after'), 'select 1 as answer')).toEqual([{ answer: 1 }]);
    const text = await sandbox.manage(['start', 'all']);
    expect(text.code).toBe(5);
    expect(text.stderr).toMatch(/shop: .*unrecognized configuration parameter "wrok_mem"/);
    writeFileSync(conf, before);
    expect((await sandbox.manage(['start', 'all'])).code).toBe(0);
  });
});

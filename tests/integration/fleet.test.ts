import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { type Document, makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, query } from '../helpers/database.ts';
import { putFiles } from '../helpers/files.ts';
import { expectInvariants } from '../helpers/invariants.ts';

/** Sixteen were asked for once; every run of the tests makes six. */
const count = Number(process.env['PG_TEST_ROUNDS'] ?? 1) > 1 ? 16 : 6;
const names = Array.from({ length: count }, (_, index) => `client-${String.fromCharCode(97 + index)}`);

const schema = {
  '001_orders.sql': `CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood mood NOT NULL, at timestamptz);`,
  '002_stamp.sql': `CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;
    CREATE TRIGGER stamped BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stamp();`,
  '003_recent.sql': 'CREATE INDEX ON orders (at); CREATE VIEW recent AS SELECT * FROM orders ORDER BY at DESC;',
};

const seedFiles = {
  '2_orders.sql': "INSERT INTO orders (mood) VALUES ('sad');",
  '10_more.sql': "UPDATE orders SET mood = 'ok'; CREATE INDEX CONCURRENTLY IF NOT EXISTS by_mood ON orders (mood);",
};

let sandbox: Sandbox;
let folder: string;
let seeds: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  folder = putFiles(join(sandbox.folder, 'migrations'), schema);
  seeds = putFiles(join(sandbox.folder, 'seeds'), seedFiles);
}, 30_000);
afterAll(async () => await sandbox?.cleanup(), 120_000);

async function create(name: string, ...args: string[]) {
  const where = ['--port-range', sandbox.portRange, '--template', 'minimal', '--lock-timeout', '300', '--json'];
  return await sandbox.manage(['create', name, ...where, ...args], { timeoutMs: 600_000 });
}

/** Lets one instance's database fail, or not, at the file that asks for the table "ready". */
async function ready(name: string, isReady: boolean): Promise<void> {
  const sql = isReady ? 'CREATE TABLE ready ()' : 'DROP TABLE IF EXISTS ready';
  await query(await addressOf(sandbox, name), sql);
}

async function currentOf(name: string): Promise<unknown> {
  const [row] = await query(await addressOf(sandbox, name), 'SELECT max(version) AS version FROM pgmanage.migrations');
  return row?.['version'];
}

function states(document: Document): Record<string, string> {
  return Object.fromEntries(
    (document.results ?? []).map(({ instance, error }) => [instance ?? '', error?.code ?? 'ok']),
  );
}

describe(`${count} instances created at once from one folder`, () => {
  it('all come up, with their whole schema and equal fingerprints', async () => {
    const created = await Promise.all(
      names.map(async (name) => await create(name, '-m', folder, '--seed-path', seeds)),
    );
    for (const one of created) {
      expect(dataOf(one)).toMatchObject({
        state: 'running',
        migrations: { current: '003' },
        seeds: { applied: [{ file: '2_orders.sql' }, { file: '10_more.sql' }] },
      });
    }
    const drift = dataOf(await sandbox.manage(['drift', 'client-*', '--json']));
    expect(drift).toMatchObject({ equal: true, differences: [], unread: [] });
    expect(drift.instances.map(({ name }: { name: string }) => name)).toEqual(names);
    expect(new Set(drift.instances.map((one: { fingerprint: string }) => one.fingerprint)).size).toBe(1);
  });
});

describe('migrating several', () => {
  const four = 'client-a,client-b,client-c,client-d';
  const wanting = { '004_more.sql': 'ALTER TABLE orders ADD note text;', '005_ready.sql': 'DROP TABLE ready;' };
  const migrate = async (...args: string[]) => await sandbox.manage(['migrate', four, '-m', folder, ...args]);

  beforeAll(() => void putFiles(folder, wanting));

  it('shows beforehand where each version stands, and touches nothing', async () => {
    const { code, stdout, stderr } = await migrate('--dry-run', '--jobs', '2');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').slice(0, 6)).toEqual([
      'instance  001 to 003  004 to 005  to apply',
      'client-a  applied     pending     2 (canary)',
      'client-b  applied     pending     2',
      'client-c  applied     pending     2',
      'client-d  applied     pending     2',
      'client-a first, then the other 3, 2 at once; after a failure no further wave begins',
    ]);
    expect(await currentOf('client-a')).toBe('003');
  });

  it('holds all others back when the canary fails', async () => {
    const { code, stderr } = await migrate('--canary', 'CLIENT-B', '--jobs', '4');
    expect(code).toBe(5);
    expect(stderr).toMatch(/^client-b {2}applied {5}pending {5}2 \(canary\)$/m);
    expect(stderr).toContain(
      '1 of 4 failed: client-b\n3 of 4 not begun, as client-b, the canary, failed before: client-a, client-c, client-d\n',
    );
    expect(stderr.match(/^error /gm)).toHaveLength(1);
    // What the canary applied before its failure stays.
    expect([await currentOf('client-b'), await currentOf('client-a')]).toEqual(['004', '003']);
  });

  it('goes on where it stopped, by waves, and begins none after a failure', async () => {
    await ready('client-a', true);
    await ready('client-b', true);
    const first = await migrate('--json', '--jobs', '2');
    expect(first.code).toBe(5);
    expect(first.json()).toMatchObject({ ok: false, error: { code: 'SOME_FAILED' } });
    expect(states(first.json())).toEqual({
      'client-a': 'ok',
      'client-b': 'ok',
      'client-c': 'MIGRATION_FAILED',
      'client-d': 'HELD_BACK',
    });
    expect((first.json() as unknown as { plan: object }).plan).toMatchObject({
      canary: 'client-a',
      onFailure: 'stop',
      waves: [['client-a'], ['client-b', 'client-c'], ['client-d']],
    });
    expect(await currentOf('client-d')).toBe('003');
  });

  it('is told by drift, object by object', async () => {
    const drift = await sandbox.manage(['drift', `${four},client-e`, '--json']);
    expect(drift.code).toBe(1);
    expect(drift.json().data).toMatchObject({
      equal: false,
      differences: [{ kind: 'table', name: 'public.orders', variants: [{}, { instances: ['client-d', 'client-e'] }] }],
    });
    const { stdout } = await sandbox.manage(['drift', `${four},client-e`]);
    expect(stdout).toContain('table public.orders (as in client-a, client-b, client-c)\n');
    expect(stdout).toContain('  client-d, client-e: differs\n    - note text\n');
  });

  it('goes past failures where that is wished, and a run after them does the rest', async () => {
    await ready('client-d', true);
    const passed = await migrate('--json', '--on-failure', 'continue', '--canary', 'client-c');
    expect(passed.code).toBe(5);
    expect(states(passed.json())).toMatchObject({ 'client-c': 'MIGRATION_FAILED', 'client-d': 'ok' });
    await ready('client-c', true);
    expect((await migrate('--quiet')).code).toBe(0);
    expect((await sandbox.manage(['drift', four])).code).toBe(0);
  });

  it('shows in the plan who cannot be reached, and refuses a canary that is not selected', async () => {
    expect((await sandbox.manage(['stop', 'client-d', '--quiet'])).code).toBe(0);
    const { stdout } = await migrate('--dry-run');
    expect(stdout).toMatch(/^client-d {2}- +instance client-d is stopped$/m);
    const drift = await sandbox.manage(['drift', four, '--json']);
    expect(drift.code).toBe(5);
    expect(drift.json().data).toMatchObject({
      equal: true,
      unread: [{ name: 'client-d', code: 'INSTANCE_NOT_RUNNING' }],
    });
    const refused = await migrate('--canary', 'client-e');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--canary client-e is none of the selected instances');
  });
});

describe('seed', () => {
  const seed = async (...args: string[]) => await sandbox.manage(['seed', 'client-a', '--seed-path', ...args]);

  async function moods(): Promise<unknown[]> {
    return (await query(await addressOf(sandbox, 'client-a'), 'SELECT mood::text FROM orders ORDER BY id')).map(
      ({ mood }) => mood as unknown,
    );
  }

  it('runs what is new or has changed, and nothing else', async () => {
    expect(await moods()).toEqual(['ok']);
    expect(dataOf(await seed(seeds, '--json'))).toMatchObject({ applied: [] });
    putFiles(seeds, {
      '2_orders.sql': "INSERT INTO orders (mood) VALUES ('ok'), ('sad');",
      '3_no.down.sql': 'SELECT 1/0;',
    });
    const { stdout } = await seed(seeds, '--dry-run');
    expect(stdout).toBe('1 to apply: 2_orders.sql\n');
    expect(await moods()).toEqual(['ok']);
    expect(dataOf(await seed(seeds, '--json'))).toMatchObject({ applied: [{ file: '2_orders.sql' }] });
    expect(await moods()).toEqual(['ok', 'ok', 'sad']);
  });

  it('takes one file too, and knows it again in its folder', async () => {
    putFiles(seeds, { 'extra.sql': "INSERT INTO orders (mood) VALUES ('sad');" });
    expect(dataOf(await seed(join(seeds, 'extra.sql'), '--json'))).toMatchObject({ applied: [{ file: 'extra.sql' }] });
    expect((await seed(seeds)).stdout).toBe('client-a: no seed is new or changed\n');
  });

  it('is apart from the history of migrations', async () => {
    expect(await currentOf('client-a')).toBe('005');
    expect((await sandbox.manage(['drift', 'client-a,client-b,client-c'])).code).toBe(0);
  });

  it('names what is not there', async () => {
    expect((await seed(join(sandbox.folder, 'nowhere'), '--json')).json().error?.code).toBe('MIGRATIONS_NOT_FOUND');
    const without = await sandbox.manage(['seed', 'client-a']);
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('seed needs --seed-path PATH')]);
  });
});

describe('create with migrations', () => {
  /** True once a file sleeps on the server of an instance that is still being made. */
  async function asleep(name: string): Promise<true | undefined> {
    const folder = join(sandbox.root, 'instances', name);
    if (!existsSync(join(folder, 'data', 'postmaster.pid'))) return undefined;
    const port = Number(readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n')[3]);
    const client = new pg.Client({ host: join(folder, 'run'), port, user: 'postgres', database: 'postgres' });
    try {
      await client.connect();
      const { rows } = await client.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
      return rows.length > 0 ? true : undefined;
    } catch {
      return undefined; // not ready yet
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  it('leaves nothing when a file fails', async () => {
    const bad = putFiles(join(sandbox.folder, 'bad'), { '1_a.sql': 'CREATE TABLE a ();', '2_b.sql': 'SELECT 1/0;' });
    const { code, json } = await create('new-a', '-m', bad);
    expect(code).toBe(1);
    expect(json().error).toMatchObject({ code: 'MIGRATION_FAILED' });
    expect(json().error?.hint).toContain('nothing is left of the instance');
    await expectInvariants(sandbox);
  });

  it('leaves nothing when a seed fails', async () => {
    const bad = putFiles(join(sandbox.folder, 'bad-seeds'), { 'a.sql': 'INSERT INTO nowhere VALUES (1);' });
    const { code, json } = await create('new-a', '-m', folder, '--seed-path', bad);
    expect({ code, error: json().error?.code }).toEqual({ code: 1, error: 'MIGRATION_FAILED' });
    await expectInvariants(sandbox);
  });

  it('makes nothing when there are no files', async () => {
    const { code, json } = await create('new-a', '-m', join(sandbox.folder, 'nowhere'));
    expect({ code, error: json().error?.code }).toEqual({ code: 4, error: 'MIGRATIONS_NOT_FOUND' });
    expect(existsSync(join(sandbox.root, 'instances', 'new-a'))).toBe(false);
  });

  it('is undone by the next command when it was killed in the middle of a file', async () => {
    const slow = putFiles(join(sandbox.folder, 'slow'), { '1_a.sql': 'CREATE TABLE a (); SELECT pg_sleep(600);' });
    const running = sandbox.begin(['create', 'new-b', '--port-range', sandbox.portRange, '-t', 'minimal', '-m', slow]);
    const signal = new AbortController().signal;
    expect(await poll(async () => await asleep('new-b'), { signal, timeoutMs: 60_000 })).toBe(true);
    running.kill('SIGKILL');
    await running.finished;
    const { code } = await create(
      'new-b',
      '-m',
      putFiles(join(sandbox.folder, 'good'), { '1_a.sql': 'CREATE TABLE a ();' }),
    );
    expect(code).toBe(0);
    expect(await currentOf('new-b')).toBe('1');
    await expectInvariants(sandbox);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { poll } from '../../lib/host/wait.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, query, superQuery, type Address } from '../helpers/database.ts';

let sandbox: Sandbox;
let address: Address;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('main');
  address = await addressOf(sandbox, 'main');
});
afterAll(async () => {
  await sandbox?.cleanup();
});

/** A folder with these files, and the arguments that migrate a database of the instance with it. */
async function migration(database: string, files: Record<string, string>): Promise<string[]> {
  const folder = join(sandbox.folder, database);
  mkdirSync(folder);
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(folder, name), sql);
  await superQuery(sandbox, 'main', `CREATE DATABASE ${database} OWNER main`);
  return ['migrate', 'main', '-m', folder, '--database', database, '--lock-timeout', '110', '--json'];
}

function within(database: string): Address {
  return { ...address, url: address.url.replace(/\/[^/]*$/, `/${database}`) };
}

async function history(database: string): Promise<string[]> {
  const rows = await query<{ version: string }>(
    within(database),
    'SELECT version FROM pgmanage.migrations ORDER BY applied_at',
  );
  return rows.map(({ version }) => version);
}

async function until<T>(probe: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const limit = { signal: AbortSignal.timeout(60_000), timeoutMs: 60_000 };
  const found = await poll(async () => await probe(), limit);
  if (found === undefined) throw new Error('what the test waits for has not come');
  return found;
}

describe('many processes and one database', () => {
  it('apply each file once, and all of them succeed, also with concurrent builds among the files', async () => {
    const args = await migration('crowded', {
      '1_a.sql': 'CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000);',
      '2_b.sql': 'CREATE INDEX CONCURRENTLY t_n ON t (n);',
      '3_c.sql': 'CREATE TABLE u (); SELECT pg_sleep(0.2);',
      '4_d.sql': 'INSERT INTO t VALUES (0); CREATE INDEX CONCURRENTLY ON t (n DESC); VACUUM t;',
      '5_e.sql': 'INSERT INTO t VALUES (-1);',
    });
    const ended = await Promise.all(Array.from({ length: 16 }, async () => sandbox.manage(args)));
    expect(ended.map(({ code, stderr }) => (code === 0 ? 0 : stderr))).toEqual(Array(16).fill(0));
    const applied = ended.flatMap((one) => one.json().data.applied as { version: string }[]);
    expect(applied.map(({ version }) => version).toSorted()).toEqual(['1', '2', '3', '4', '5']);
    expect(ended.map((one) => one.json().data.current)).toEqual(Array(16).fill('5'));
    expect(await history('crowded')).toEqual(['1', '2', '3', '4', '5']);
    expect(await query(within('crowded'), 'SELECT count(*)::int AS n FROM t WHERE n < 1')).toEqual([{ n: 2 }]);
    expect(await query(within('crowded'), 'SELECT FROM pg_index WHERE NOT indisvalid')).toEqual([]);
  });

  it.each([
    ['a transaction', 'CREATE TABLE t (n int); SELECT pg_sleep(3);'],
    ['statement by statement', 'CREATE TABLE t (n int);\nSELECT pg_sleep(3);\nVACUUM t;'],
  ])('finish what one left that was killed in the middle of a file, in %s', async (how, sql) => {
    const database = how.replaceAll(/\W/g, '_');
    const args = await migration(database, { '1_a.sql': sql, '2_b.sql': 'INSERT INTO t VALUES (1);' });
    const killed = sandbox.begin(args);
    const asleep = `SELECT pid FROM pg_stat_activity WHERE datname = '${database}' AND wait_event = 'PgSleep'`;
    await until(async () => (await query(address, asleep))[0]);
    killed.kill('SIGKILL');
    const other = await sandbox.manage(args);
    expect([other.code, other.stderr]).toEqual([0, other.stderr]);
    expect((await killed.finished).code).not.toBe(0);
    expect(await history(database)).toEqual(['1', '2']);
    expect(await query(within(database), 'SELECT n FROM t')).toEqual([{ n: 1 }]);
  });

  it('finish the concurrent build of one that was killed in the middle of it: the index is made once, and valid', async () => {
    const database = 'building';
    const args = await migration(database, {
      '1_a.sql': 'INSERT INTO t VALUES (1);\nCREATE INDEX CONCURRENTLY t_n ON t (n);\nINSERT INTO t VALUES (2);',
    });
    await query(within(database), 'CREATE TABLE t (n int)');
    const blocker = new pg.Client({ connectionString: within(database).url });
    await blocker.connect();
    try {
      await blocker.query('BEGIN; INSERT INTO t VALUES (0)'); // the build waits for this transaction
      const killed = sandbox.begin(args);
      const state = (mark: string): string =>
        `SELECT pid FROM pg_stat_activity WHERE datname = '${database}' AND query ~ '^(CREATE|DROP) INDEX' AND wait_event_type = 'Lock' AND ${mark}`;
      const found = await until(async () => (await query<{ pid: number }>(address, state('true')))[0]);
      killed.kill('SIGKILL');
      const others = Promise.all(Array.from({ length: 3 }, async () => await sandbox.manage(args)));
      // One of them drops what was half built, which waits for the transaction as well.
      await until(async () => (await query(address, state(`pid <> ${found.pid}`)))[0]);
      await blocker.query('COMMIT');
      expect((await others).map(({ code, stderr }) => (code === 0 ? 0 : stderr))).toEqual([0, 0, 0]);
    } finally {
      await blocker.end();
    }
    expect(await history(database)).toEqual(['1']);
    expect(await query(within(database), 'SELECT n FROM t ORDER BY n')).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
    const indexes =
      "SELECT indexrelid::regclass::text AS name, indisvalid FROM pg_index WHERE indrelid = 't'::regclass";
    expect(await query(within(database), indexes)).toEqual([{ name: 't_n', indisvalid: true }]);
  });
});

describe('a run that has ended', () => {
  it('survives a crash of the server right after it', async () => {
    const files = Array.from({ length: 20 }, (_, index) => [`${index + 1}_t.sql`, `CREATE TABLE t${index} ();`]);
    const args = await migration('crashed', Object.fromEntries(files) as Record<string, string>);
    expect((await sandbox.manage(args)).code).toBe(0);
    const data = join(sandbox.root, 'instances', 'main', 'data');
    // The postmaster ends its children at once: nothing more is written.
    process.kill(Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGQUIT');
    await until(() => (existsSync(join(data, 'postmaster.pid')) ? undefined : true));
    expect((await sandbox.manage(['start', 'main', '--json'])).code).toBe(0);
    expect(await history('crashed')).toHaveLength(20);
    const tables = "SELECT count(*)::int AS n FROM pg_tables WHERE tablename ~ '^t\\d+$'";
    expect(await query(within('crashed'), tables)).toEqual([{ n: 20 }]);
  });
});

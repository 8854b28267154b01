import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
    const found = await poll(async () => ((await query(address, asleep)).length > 0 ? true : undefined), {
      signal: AbortSignal.timeout(60_000),
      timeoutMs: 60_000,
    });
    expect(found).toBe(true);
    killed.kill('SIGKILL');
    const other = await sandbox.manage(args);
    expect([other.code, other.stderr]).toEqual([0, other.stderr]);
    expect((await killed.finished).code).not.toBe(0);
    expect(await history(database)).toEqual(['1', '2']);
    expect(await query(within(database), 'SELECT n FROM t')).toEqual([{ n: 1 }]);
  });
});

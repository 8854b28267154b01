import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { holdsOwn } from '../../lib/backups/dumps/maintenance.ts';
import { withClient } from '../../lib/postgres/sql.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, superQuery } from '../helpers/database.ts';
import { describeWithPrograms } from '../helpers/without-program.ts';

/** The database postgres of an instance, which is in a dump where it holds anything of the client's. */

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing');
  // Has the heartbeat written, which is this tool's own.
  await backup('--no-verify');
});

afterAll(async () => {
  await sandbox.cleanup();
});

const backup = async (...args: string[]) => dataOf(await sandbox.manage(['backup', 'shop', '--json', ...args]));
const restore = async (...args: string[]) =>
  dataOf(await sandbox.manage(['restore', 'shop', '--json', '--yes', ...args]));
const tell = async (sql: string, name = 'shop') => await superQuery(sandbox, name, sql);
const notes = async (name = 'shop') => (await tell('select count(*)::int as n from notes', name))[0]?.n;

it.each([
  ['create table t ()', 'drop table t'],
  ['create schema s', 'drop schema s'],
  ['create function f() returns int language sql as $$select 1$$', 'drop function f'],
  ['create domain d as int', 'drop domain d'],
  ['create extension hstore', 'drop extension hstore'],
  ['select lo_create(4711)', 'select lo_unlink(4711)'],
  ['create foreign data wrapper w', 'drop foreign data wrapper w'],
  ['create publication p', 'drop publication p'],
  ['create cast (text as int) with inout', 'drop cast (text as int)'],
])('%s is something of the client', async (make, drop) => {
  const { port } = await addressOf(sandbox, 'shop');
  const host = join(sandbox.root, 'instances', 'shop', 'run');
  const { signal } = new AbortController();
  const address = { host, port, user: 'postgres', database: 'postgres', signal, timeoutMs: 30_000 };
  await withClient(address, async (client) => {
    expect(await holdsOwn(client)).toBe(false);
    await client.query(make);
    expect(await holdsOwn(client)).toBe(true);
    await client.query(drop);
    expect(await holdsOwn(client)).toBe(false);
  });
});

const describeDumps = describeWithPrograms(async () => {
  const args = ['backup', 'shop', '--backup-type', 'dump', '--database', 'postgres', '--json'];
  const { error } = (await sandbox.manage(args)).json();
  expect(error).toMatchObject({ code: 'NO_PG_DUMP', hint: expect.stringContaining('apt-get install') });
});

describeDumps('a dump', () => {
  it('leaves it out where it holds nothing but the heartbeat, unless it is asked for', async () => {
    expect((await backup('--backup-type', 'dump', '--backup-name', 'd0')).databases).toEqual(['shop']);
    const asked = await backup('--backup-type', 'dump', '--backup-name', 'p0', '--database', 'postgres');
    expect(asked).toMatchObject({ state: 'verified', databases: ['postgres'] });
  });

  it('holds what the client has in it, and not the heartbeat', async () => {
    await tell(`create table notes (n int primary key); insert into notes select generate_series(1, 7);
                alter database postgres set work_mem = '9MB'; grant connect on database postgres to shop`);
    const taken = await backup('--backup-type', 'dump', '--backup-name', 'd1');
    expect(taken).toMatchObject({ state: 'verified', databases: ['postgres', 'shop'] });
    expect(taken.verification.checks).toContainEqual({
      name: 'database postgres',
      ok: true,
      detail: expect.stringContaining('7 rows in 1 tables'),
    });
  });

  it('makes a new instance that has it', async () => {
    await restore('--backup-name', 'd1', '--as', 'copy', '--port-range', sandbox.portRange);
    expect(await notes('copy')).toBe(7);
    expect(await tell('show work_mem', 'copy')).toEqual([{ work_mem: '9MB' }]);
    expect((await sandbox.manage(['restart', 'copy'])).code).toBe(0);
    await sandbox.manage(['destroy', 'copy', '--yes', '--quiet']);
  });

  it('puts it back in place, beside what it was', async () => {
    await tell('delete from notes where n > 2');
    const { databases } = (await restore('--backup-name', 'd1')) as { databases: { name: string; aside: string }[] };
    expect(databases.map(({ name }) => name)).toEqual(['postgres', 'shop']);
    expect(await notes()).toBe(7);
    expect(await tell('show work_mem')).toEqual([{ work_mem: '9MB' }]);
    const aside = databases[0]?.aside ?? '';
    expect(await superQuery(sandbox, 'shop', 'select count(*)::int as n from notes', aside)).toEqual([{ n: 2 }]);
    for (const { aside: one } of databases)
      expect((await sandbox.manage(['drop-db', 'shop', '--database', one, '--yes'])).code).toBe(0);
    // The heartbeat is made anew.
    expect(await backup()).toMatchObject({ state: 'verified' });
  });

  it('of rows alone fills its tables', async () => {
    const rows = ['--backup-type', 'data', '--backup-name', 'r1', '--database', 'postgres'];
    expect(await backup(...rows)).toMatchObject({ state: 'verified' });
    await tell('truncate notes');
    await restore('--backup-name', 'r1');
    expect(await notes()).toBe(7);
  });

  it('is put back when a kill comes while it has no name', async () => {
    await superQuery(sandbox, 'shop', 'create database postgres_restoring', 'shop');
    await superQuery(sandbox, 'shop', 'alter database postgres rename to postgres_before', 'shop');
    const swap = { name: 'postgres', fresh: 'postgres_restoring', aside: 'postgres_before' };
    const other = { name: 'shop', fresh: 'shop_restoring', aside: null };
    const entry = {
      schema: 1,
      id: 'cut',
      action: 'restore',
      instance: 'shop',
      begunAt: '2026-11-22T00:00:00Z',
      process: { pid: 1, started: 'never', host: 'here' },
      settled: false,
      steps: [swap, other].map((one) => ({ kind: 'database', instance: 'shop', ...one })),
    };
    writeFileSync(join(sandbox.root, '.pg-manage', 'journal', 'cut.json'), JSON.stringify(entry), { mode: 0o644 });
    expect((await sandbox.manage(['restart', 'shop'])).code).toBe(0);
    expect(await notes()).toBe(7);
    const left = await tell(`select datname from pg_database where datname ~ '_restoring|_before'`);
    expect(left).toEqual([]);
  });
});

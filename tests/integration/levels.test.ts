import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { type Finished, makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { type Address, addressOf, query, superQuery } from '../helpers/database.ts';

let sandbox: Sandbox;
let address: Address;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop');
  address = await addressOf(sandbox, 'shop');
  await query(address, 'create table orders as select n, md5(n::text) as hash from generate_series(1, 5000) n');
  await query(address, 'alter table orders add primary key (n)');
  dataOf(await sandbox.manage(['backup', 'shop', '--backup-name', 'first', '--level', 'quick', '--json']));
});

afterAll(async () => {
  await sandbox.cleanup();
});

async function verify(...args: string[]): Promise<Finished> {
  return await sandbox.manage(['verify-backup', 'shop', '--json', ...args]);
}

interface Check {
  name: string;
  ok: boolean;
  possible?: boolean;
  detail: string;
}

/** The checks of a verification, however it ended. */
function checksOf(finished: Finished): Check[] {
  const { data, error } = finished.json();
  const { verification } = (data ?? error?.data ?? {}) as { verification?: { checks: Check[] } };
  return verification?.checks ?? [];
}

async function verifySql(text: string): Promise<Finished> {
  const file = join(sandbox.folder, 'invariants.sql');
  writeFileSync(file, text);
  return await verify('--level', 'quick', '--verify-sql', file);
}

describe('the levels of a verification', () => {
  it('quick starts the server and asks for the catalogue', async () => {
    const verified = await verify('--level', 'quick');
    expect(dataOf(verified).verification).toMatchObject({ state: 'verified', level: 'quick' });
    const names = checksOf(verified).map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['stored files', 'archived WAL', 'manifest', 'tablespaces', 'recovery', 'identity']),
    );
    expect(names.filter((name) => /indexes|pages|heartbeat/.test(name))).toEqual([]);
  });

  it('standard also reads every index, table and page, the heartbeat, and compares the catalogue', async () => {
    const verified = await verify();
    expect(dataOf(verified).verification).toMatchObject({ state: 'verified', level: 'standard' });
    const checks = checksOf(verified);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    const detail = (name: string) => checks.find((check) => check.name === name)?.detail;
    expect(detail('indexes and tables of shop')).toMatch(
      /^1\d\d indexes \(1\d\d compared with their tables\), \d+ tables$/,
    );
    expect(detail('indexes and tables of postgres')).toMatch(/indexes/);
    expect(detail('page checksums')).toMatch(/^\d{4,} pages in \d{3,} files$/);
    expect(detail('database shop')).toMatch(/as when it was taken$/);
    expect(detail('heartbeat')).toMatch(/^written 20/);
    const status = dataOf(await sandbox.manage(['status', 'shop', '--json']));
    expect(status.lastVerifiedBackup).toMatchObject({ level: 'standard', restoreSeconds: expect.any(Number) });
    expect(status.lastVerifiedBackup.rpoSeconds).toBeGreaterThanOrEqual(0);
    expect(status.lastVerifiedBackup.rpoSeconds).toBeLessThan(60);
  });

  it('full replays what was archived since, to its end, and reads back a row that has just been written', async () => {
    await query(address, 'insert into orders select n, md5(n::text) from generate_series(5001, 9000) n');
    const file = join(sandbox.folder, 'count.sql');
    writeFileSync(file, 'select count(*) = 9000 as all_there, count(*) from orders;');
    expect((await verify('--verify-sql', file)).code).toBe(7); // not in the backup itself
    const verified = await verify('--level', 'full', '--verify-sql', file);
    expect(dataOf(verified).verification).toMatchObject({ state: 'verified', level: 'full' });
    expect(checksOf(verified).find(({ name }) => name === 'end of the archive')?.detail).toMatch(/^replayed to /);
  });

  it('keeps what it needs out of the client’s database', async () => {
    const here = "select count(*)::int as n from pg_namespace where nspname = 'pgmanage'";
    expect(await query(address, here)).toEqual([{ n: 0 }]);
    expect(await superQuery(sandbox, 'shop', here)).toEqual([{ n: 1 }]);
    expect(await query(address, "select from pg_extension where extname = 'amcheck'")).toEqual([]);
  });
});

describe('the operator’s own invariants', () => {
  it('hold when every statement works and every first boolean is true', async () => {
    const verified = await verifySql(
      "-- sums\nselect count(*) = 5000 from orders;\nselect 'no boolean';\nselect true, 1;",
    );
    expect(dataOf(verified)).toMatchObject({ state: 'verified' });
    expect(checksOf(verified).at(-1)?.detail).toBe('3 statements, 2 rows true');
  });

  it.each([
    [
      'a row that is false',
      'select true;\nselect count(*) = 1 as one, count(*) as orders from orders;',
      'statement 2: one = false, orders = 5000',
    ],
    ['a row that is null', 'select sum(n) > 0 as positive from orders where n < 0', 'statement 1: positive = null'],
    ['a statement that fails', 'select true;\nselect * from nowhere;', 'line 2: relation "nowhere" does not exist'],
  ])('fail for %s', async (_, text, detail) => {
    const verified = await verifySql(text);
    expect([verified.code, verified.json().error?.code]).toEqual([7, 'BACKUP_NOT_PROVEN']);
    expect(checksOf(verified).find(({ ok }) => !ok)?.detail).toBe(detail);
  });

  it('are wanted as a file that can be read and says something', async () => {
    for (const text of ['', '-- nothing\n']) expect((await verifySql(text)).code).toBe(2);
    expect((await verify('--verify-sql', '/nowhere.sql')).code).toBe(2);
  });
});

describe('what only reading everything finds', () => {
  it('an index whose order is not its table’s', async () => {
    await superQueryIn(
      `create function compare(a int, b int) returns int language sql immutable as 'select a - b';
       create operator class own_int for type int using btree as
         operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 compare(int, int);
       create table odd as select generate_series(1, 300) n;
       create index odd_index on odd (n own_int);
       create or replace function compare(a int, b int) returns int language sql immutable as 'select b - a'`,
    );
    const taken = await sandbox.manage(['backup', 'shop', '--json']);
    expect(taken.code).toBe(7);
    expect(taken.json().error?.message).toMatch(/indexes and tables of shop: .*odd_index/);
    await superQueryIn('drop table odd');
  });

  it('a table whose rows are older than it says they can be', async () => {
    await superQueryIn('create table frozen as select generate_series(1, 10) n');
    await superQueryIn(`update pg_class set relfrozenxid = pg_current_xact_id()::xid where relname = 'frozen'`);
    const taken = await sandbox.manage(['backup', 'shop', '--json']);
    expect(taken.code).toBe(7);
    expect(taken.json().error?.message).toMatch(/indexes and tables of shop: frozen, block 0: /);
    expect((await sandbox.manage(['backup', 'shop', '--level', 'quick', '--quiet'])).code).toBe(0);
  });
});

/** As the superuser, in the instance’s own database. */
async function superQueryIn(sql: string): Promise<void> {
  await superQuery(sandbox, 'shop', sql, 'shop');
}

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { processesOn } from '../../lib/host/processes.ts';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { listTree, makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, programOf, query, superQuery } from '../helpers/database.ts';
import { describeWithPrograms, manageWithout } from '../helpers/without-program.ts';

let sandbox: Sandbox;
let dumps: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  dumps = join(sandbox.root, 'backups', 'shop', 'dumps');
  await sandbox.create('shop', '--template', 'testing');
  const asked = [
    'create role clerks nologin',
    `create role "Ann;'s" login password 'secret of ann' in role clerks`,
    `alter role "Ann;'s" set search_path = "$user", public, "odd, one"`,
    `comment on role clerks is 'a line;\n-- and another'`,
    'create database "till=1" owner clerks',
    "alter database shop set work_mem = '7MB'",
    'revoke connect on database shop from public',
    'grant connect on database shop to clerks',
  ];
  for (const sql of asked) await superQuery(sandbox, 'shop', sql);
  await query(
    await addressOf(sandbox, 'shop'),
    `create schema stock;
     create table stock.items (id int primary key, name text not null);
     insert into stock.items select n, 'item ' || n from generate_series(1, 1000) n;
     create table stock.sales (id serial primary key, item int references stock.items);
     insert into stock.sales (item) select n from generate_series(1, 50) n;
     create view stock.names as select name from stock.items;
     create function stock.twice(n int) returns int language sql return n * 2;
     grant usage on schema stock to clerks; grant select on stock.items to clerks`,
  );
  await superQuery(sandbox, 'shop', 'create table money (n int); alter table money owner to clerks', 'till=1');
});

afterAll(async () => {
  await sandbox.cleanup();
});

const backup = async (...args: string[]) => await sandbox.manage(['backup', 'shop', '--json', ...args]);
const restore = async (...args: string[]) => await sandbox.manage(['restore', 'shop', '--json', '--yes', ...args]);

/** The definitions with owners and grants, as pg_dump tells them. */
async function schemaOf(name: string, database: string, ...args: string[]): Promise<string> {
  const { port } = await addressOf(sandbox, name);
  const host = join(sandbox.root, 'instances', name, 'run');
  const to = ['--host', host, '--port', String(port), '--username', 'postgres', '--dbname', `dbname='${database}'`];
  const text = execFileSync(programOf(sandbox, name, 'pg_dump'), ['--create', ...args, ...to], { encoding: 'utf8' });
  return text.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

const count = async (name: string, table: string): Promise<number> =>
  (await superQuery<{ n: number }>(sandbox, name, `select count(*)::int as n from ${table}`, 'shop'))[0]?.n ?? -1;

/** Those that let somebody in. */
async function databases(): Promise<string[]> {
  const sql = 'select datname as name from pg_database where datallowconn order by 1';
  return (await superQuery<{ name: string }>(sandbox, 'shop', sql)).map(({ name }) => name);
}

/** Of each type, on a machine that has no pg_dump. */
async function refusedWithoutDump(): Promise<void> {
  const before = listTree(join(sandbox.root, 'backups'));
  for (const type of ['dump', 'schema', 'data']) {
    const args = ['backup', 'shop', '--backup-type', type, '--json'];
    const refused = await manageWithout(sandbox, programOf(sandbox, 'shop', 'pg_dump'), args);
    expect([type, refused.code, refused.json().error?.code]).toEqual([type, 1, 'NO_PG_DUMP']);
    expect(refused.json().error?.hint).toContain('apt-get install postgresql-client-');
  }
  expect(listTree(join(sandbox.root, 'backups'))).toEqual(before);
}

const describeDumps = describeWithPrograms(refusedWithoutDump);

describeDumps('a dump', () => {
  let before: string[];

  it('is taken of all databases with the roles, and verified by restoring and counting', async () => {
    before = [await schemaOf('shop', 'shop'), await schemaOf('shop', 'till=1')];
    const taken = dataOf(await backup('--backup-type', 'dump', '--backup-name', 'd1', '--label', 'first'));
    expect(taken).toMatchObject({
      id: 'd1',
      type: 'dump',
      state: 'verified',
      databases: ['shop', 'till=1'],
      startLsn: null,
    });
    expect(taken.verification.checks).toEqual([
      { name: 'stored files', ok: true, detail: '3 files, hashes agree' },
      { name: 'roles', ok: true, detail: 'made as they were' },
      { name: 'database shop', ok: true, detail: expect.stringContaining('1050 rows in 2 tables') },
      { name: 'database till=1', ok: true, detail: expect.stringContaining('0 rows in 1 tables') },
    ]);
    expect(statSync(join(dumps, 'd1', 'shop.dump')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(dumps, 'd1', 'roles.sql'), 'utf8')).not.toContain('secret of ann');
    expect(readdirSync(join(sandbox.root, '.pg-manage', 'scratch'))).toEqual([]);
    const { backups } = dataOf(await sandbox.manage(['list-backups', 'shop', '--json']));
    expect(backups).toEqual([expect.objectContaining({ id: 'd1', type: 'dump', label: 'first', state: 'verified' })]);
  });

  it('makes a new instance with the same owners, grants, settings, rows and roles', async () => {
    expect(
      dataOf(await restore('--backup-name', 'd1', '--as', 'copy', '--port-range', sandbox.portRange)),
    ).toMatchObject({
      name: 'copy',
      state: 'running',
      databases: [
        { name: 'shop', aside: null },
        { name: 'till=1', aside: null },
      ],
    });
    expect([await schemaOf('copy', 'shop'), await schemaOf('copy', 'till=1')]).toEqual(before);
    const roles = `select rolname, rolcanlogin, (select setconfig from pg_db_role_setting where setrole = a.oid and setdatabase = 0) as config, shobj_description(a.oid, 'pg_authid') as said,
                          case when rolname <> 'shop' then rolpassword end as verifier,
                          array(select roleid::regrole::text from pg_auth_members where member = a.oid) as member_of
                     from pg_authid a where rolname !~ '^pg_' order by 1`;
    expect(await superQuery(sandbox, 'copy', roles)).toEqual(await superQuery(sandbox, 'shop', roles));
    // The instance's own role comes in with the new instance's password.
    expect(await query(await addressOf(sandbox, 'copy'), 'select stock.twice(2) as n')).toEqual([{ n: 4 }]);
    await sandbox.manage(['destroy', 'copy', '--yes', '--quiet']);
  });

  it('comes back in place; what it replaces keeps its rows beside it', async () => {
    await superQuery(
      sandbox,
      'shop',
      'delete from stock.sales; drop function stock.twice; revoke all on stock.items from clerks',
      'shop',
    );
    expect((await restore('--backup-name', 'd1', '--dry-run')).json().data).toMatchObject({
      databases: ['shop', 'till=1'],
    });
    const { databases: swapped } = dataOf(await restore('--backup-name', 'd1')) as {
      databases: { name: string; aside: string }[];
    };
    expect([await schemaOf('shop', 'shop'), await schemaOf('shop', 'till=1')]).toEqual(before);
    expect(swapped[0]?.aside).toMatch(/^shop_before_\d{14}$/);
    const [left] = await superQuery<{ n: string }>(
      sandbox,
      'shop',
      'select count(*) as n from stock.sales',
      swapped[0]?.aside,
    );
    expect(left?.n).toBe('0');
    expect((await databases()).filter((name) => name.includes('_restoring_'))).toEqual([]);
    for (const { aside } of swapped) {
      expect((await sandbox.manage(['drop-db', 'shop', '--database', aside, '--yes'])).code).toBe(0);
    }
  });

  it('cannot lead to another moment', async () => {
    const refused = await restore('--backup-name', 'd1', '--to', 'latest');
    expect([refused.code, refused.json().error?.code]).toEqual([2, 'USAGE']);
  });
});

describeDumps('definitions and rows apart', () => {
  it('are dumped, proven, and put together again', async () => {
    expect(dataOf(await backup('--backup-type', 'schema', '--backup-name', 's1', '--database', 'shop')).state).toBe(
      'verified',
    );
    const rows = dataOf(await backup('--backup-type', 'data', '--backup-name', 'r1', '--database', 'shop'));
    expect(rows.verification.checks.at(-1).detail).toContain('1050 rows in 2 tables');
    const full = await restore('--backup-name', 'r1');
    expect(full.json().error).toMatchObject({
      code: 'RESTORE_FAILED',
      message: expect.stringContaining('stock.items'),
    });
    const replaced = dataOf(await restore('--backup-name', 's1')) as { databases: { aside: string }[] };
    expect(await count('shop', 'stock.items')).toBe(0);
    dataOf(await restore('--backup-name', 'r1'));
    expect([await count('shop', 'stock.items'), await count('shop', 'stock.sales')]).toEqual([1000, 50]);
    await sandbox.manage(['drop-db', 'shop', '--database', replaced.databases[0]?.aside ?? '', '--yes']);
  });

  it('refuses rows alone for a new instance, and options of base backups', async () => {
    expect((await restore('--backup-name', 'r1', '--as', 'other')).json().error?.code).toBe('RESTORE_TARGET');
    expect((await backup('--backup-type', 'dump', '--level', 'full')).code).toBe(2);
    expect((await backup('--database', 'shop')).code).toBe(2);
  });
});

describeDumps('what goes wrong', () => {
  it('a machine without pg_dump is told what to install, and nothing is begun', refusedWithoutDump);

  it('kill -9 in the middle of it leaves nothing that the next action does not clear', async () => {
    const { url } = await addressOf(sandbox, 'shop');
    const holder = new pg.Client({ connectionString: url });
    await holder.connect();
    await holder.query('begin; lock table stock.items');
    const { signal } = new AbortController();
    try {
      const running = sandbox.begin(['backup', 'shop', '--backup-type', 'dump', '--backup-name', 'k1']);
      const waiting = async (): Promise<boolean | undefined> => {
        const found = await superQuery(
          sandbox,
          'shop',
          `select from pg_stat_activity where application_name = 'pg_dump' and wait_event_type = 'Lock'`,
        );
        return found.length > 0 ? true : undefined;
      };
      expect(await poll(waiting, { signal, timeoutMs: 60_000 })).toBe(true);
      process.kill(running.pid, 'SIGKILL');
      await running.finished;
      expect(readdirSync(dumps)).toContain('.k1.writing');
      expect(processesOn(dumps)).toHaveLength(1);
      // The next action, whatever it is.
      await sandbox.manage(['restore-point', 'shop', '--name', 'after-the-kill']);
      expect(readdirSync(dumps)).not.toContain('.k1.writing');
      expect(processesOn(dumps)).toEqual([]);
    } finally {
      await holder.end();
    }
  });

  it('kill -9 in a restore in place leaves the databases as they were', async () => {
    // After the first database was restored beside the present one, and before the second is.
    const env = { PG_MANAGE_TEST_KILL_AT: '4' };
    expect((await sandbox.manage(['restore', 'shop', '--backup-name', 'd1', '--yes'], { env })).code).toBe(137);
    expect((await databases()).filter((name) => name.includes('_restoring_'))).toHaveLength(1);
    await sandbox.manage(['restart', 'shop']);
    expect(await databases()).toEqual(['postgres', 'shop', 'template1', 'till=1']);
    expect(await count('shop', 'stock.items')).toBe(1000);
  });

  it('a kill between the two renames is undone too', async () => {
    await superQuery(sandbox, 'shop', 'alter database "till=1" rename to till_before');
    await superQuery(sandbox, 'shop', 'alter database till_before with allow_connections false');
    await superQuery(sandbox, 'shop', 'create database till_restoring');
    const swap = { kind: 'database', instance: 'shop', name: 'till=1', fresh: 'till_restoring', aside: 'till_before' };
    const entry = {
      schema: 1,
      id: 'cut',
      action: 'restore',
      instance: 'shop',
      begunAt: '2026-11-22T00:00:00Z',
      process: { pid: 1, started: 'never', host: 'here' },
      settled: false,
      steps: [swap],
    };
    writeFileSync(join(sandbox.root, '.pg-manage', 'journal', 'cut.json'), JSON.stringify(entry), { mode: 0o644 });
    await sandbox.manage(['restart', 'shop']);
    expect(await databases()).toEqual(['postgres', 'shop', 'template1', 'till=1']);
  });

  it('a flipped byte is found and the file named, by verify-backup and by restore', async () => {
    const file = join(dumps, 's1', 'shop.dump');
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    writeFileSync(file, bytes);
    const refused = await restore('--backup-name', 's1');
    expect([refused.code, refused.json().error?.message]).toEqual([7, expect.stringContaining('shop.dump is damaged')]);
    const verified = await sandbox.manage(['verify-backup', 'shop', '--backup-name', 's1', '--json']);
    expect([verified.code, verified.json().error?.message]).toEqual([
      7,
      expect.stringContaining('shop.dump is damaged'),
    ]);
    expect(existsSync(join(sandbox.root, 'backups', 'shop', 'alarm.json'))).toBe(true);
  });
});

describeDumps('keeping and removing', () => {
  it('spares the newest verified of a type and what is pinned', async () => {
    const refused = await sandbox.manage(['delete-backup', 'shop', '--backup-name', 'd1', '--yes', '--json']);
    expect(refused.json().error?.code).toBe('BACKUP_NEEDED');
    const plan = dataOf(await sandbox.manage(['cleanup-backups', 'shop', '--keep', '1', '--dry-run', '--json']));
    expect(plan.removed).toEqual([]);
    expect((await sandbox.manage(['delete-backup', 'shop', '--backup-name', 's1', '--yes'])).code).toBe(0);
    expect(readdirSync(dumps).sort()).toEqual(['d1', 'r1']);
  });
});

describeDumps('a dump of what is elsewhere', () => {
  it('as a materialized view over a foreign server is good, and that server is not asked', async () => {
    await superQuery(sandbox, 'shop', 'create database far');
    await superQuery(
      sandbox,
      'shop',
      `create extension postgres_fdw;
       create server elsewhere foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1');
       create user mapping for postgres server elsewhere;
       create foreign table there (n int) server elsewhere;
       create materialized view copied as select * from there with no data;
         update pg_class set relispopulated = true where relname = 'copied'`,
      'far',
    );
    const taken = dataOf(await backup('--backup-type', 'dump', '--database', 'far', '--backup-name', 'far'));
    expect(taken.verification.checks.at(-1)).toMatchObject({ ok: true, detail: expect.stringContaining('left empty') });
    await superQuery(sandbox, 'shop', 'drop database far');
  });
});

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox, testedMajor } from '../helpers/cli.ts';
import { type Address, addressOf, query } from '../helpers/database.ts';

let sandbox: Sandbox;
let address: Address;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop');
  address = await addressOf(sandbox, 'shop');
  await query(address, 'create table orders as select n, md5(n::text) as hash from generate_series(1, 5000) n');
});

afterAll(async () => {
  await sandbox.cleanup();
});

describe('a base backup', () => {
  it('is pinned and labelled when asked to be, and keeps record, configuration, password and extensions with it', async () => {
    const args = ['backup', 'shop', '--backup-name', 'kept', '--pin', '--label', 'before the move', '--level', 'quick'];
    expect(dataOf(await sandbox.manage([...args, '--json']))).toMatchObject({ pinned: true, label: 'before the move' });
    const folder = join(sandbox.root, 'backups', 'shop', 'base', 'kept');
    expect(readdirSync(join(folder, 'instance')).toSorted()).toEqual([
      'instance.json',
      'password',
      'pg-manage.conf',
      'pg-manage.tuning.conf',
      'pg_hba.conf',
      'pg_ident.conf',
      'postgresql.auto.conf',
      'postgresql.conf',
    ]);
    const record = JSON.parse(readFileSync(join(folder, 'backup.json'), 'utf8'));
    expect(record.instance).toMatchObject({ name: 'shop', version: testedMajor() });
    const census = record.census.find(({ database }: { database: string }) => database === 'shop');
    expect(census.extensions).toEqual([{ name: 'plpgsql', version: '1.0' }]);
  });

  it('may be told to read slowly, and refuses a rate that is none', async () => {
    const slow = ['backup', 'shop', '--no-verify', '--quiet', '--max-rate'];
    expect((await sandbox.manage([...slow, '200M'])).code).toBe(0);
    for (const rate of ['fast', '1k', '2000M']) expect((await sandbox.manage([...slow, rate])).code).toBe(2);
  });

  it('of one instance is taken by one process at a time', async () => {
    // It would take minutes: on a busy machine the second is late.
    const first = sandbox.begin(['backup', 'shop', '--no-verify', '--backup-name', 'a', '--max-rate', '32k', '--json']);
    const folder = join(sandbox.root, 'backups', 'shop', 'base', '.a.writing');
    const { signal } = new AbortController();
    await poll(() => (existsSync(folder) ? true : undefined), { signal, timeoutMs: 30_000 });
    const second = await sandbox.manage(['backup', 'shop', '--no-verify', '--lock-timeout', '0', '--json']);
    expect([second.code, second.json().error?.code]).toEqual([75, 'LOCKED']);
    expect(existsSync(folder)).toBe(true);
    first.kill('SIGINT');
    expect((await first.finished).code).toBe(130);
    expect(existsSync(folder)).toBe(false);
  });

  it('brings an instance back on a machine that has nothing but the repository', async () => {
    const elsewhere = await makeSandbox();
    try {
      cpSync(join(sandbox.root, 'backups'), join(elsewhere.folder, 'carried'), {
        recursive: true,
        preserveTimestamps: true,
      });
      if (process.getuid?.() === 0) execFileSync('chown', ['-R', 'postgres:', join(elsewhere.folder, 'carried')]);
      const env = { PG_MANAGE_BACKUPS: join(elsewhere.folder, 'carried') };
      const restore = ['restore', 'shop', '--as', 'shop2', '--port-range', elsewhere.portRange, '--json'];
      expect(dataOf(await elsewhere.manage(restore, { env }))).toMatchObject({ name: 'shop2', state: 'running' });
      const { json } = await elsewhere.manage(['connect', 'shop2', '--json'], { env });
      const there = json().data as Address;
      expect(there.password).toBe(address.password);
      expect(await query(there, 'select count(*)::int as orders from orders')).toEqual([{ orders: 5000 }]);
      expect(dataOf(await elsewhere.manage(['backup', 'shop2', '--json'], { env }))).toMatchObject({
        state: 'verified',
      });
      await elsewhere.manage(['destroy', 'all', '--yes', '--quiet'], { env });
    } finally {
      await elsewhere.cleanup();
    }
  });
});

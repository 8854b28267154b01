import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, query, superQuery } from '../helpers/database.ts';

let sandbox: Sandbox;

function flipByte(file: string, at: number): void {
  const handle = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(handle, byte, 0, 1, at);
  writeSync(handle, Buffer.from([(byte[0] ?? 0) ^ 0x40]), 0, 1, at);
  closeSync(handle);
}

const alarmOf = async () => dataOf(await sandbox.manage(['status', 'shop', '--json'])).protection.alarm;
const backup = async (id: string) => await sandbox.manage(['backup', 'shop', '--backup-name', id, '--json']);
const cleanup = async () => await sandbox.manage(['cleanup-backups', 'shop', '--keep', '1', '--yes', '--json']);

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing');
  await query(
    await addressOf(sandbox, 'shop'),
    'create table orders as select n, md5(n::text) as hash from generate_series(1, 2000) n',
  );
  for (const id of ['first', 'second']) dataOf(await backup(id));
});

afterAll(async () => {
  await sandbox.cleanup();
});

describe('a damaged backup', () => {
  it('raises an alarm that names the file, and retention stands still', async () => {
    const base = join(sandbox.root, 'backups', 'shop', 'base', 'second');
    const stored = readdirSync(base).find((name) => name.startsWith('base.tar')) ?? '';
    flipByte(join(base, stored), Math.floor(readFileSync(join(base, stored)).length / 2));
    expect((await sandbox.manage(['verify-backup', 'shop', '--backup-name', 'second'])).code).toBe(7);
    expect(await alarmOf()).toMatchObject({
      damage: [{ where: 'backup second', what: expect.stringContaining(stored) }],
    });
    expect((await cleanup()).json()).toMatchObject({ error: { code: 'DAMAGE_ALARM', exitCode: 7 } });
    expect((await sandbox.manage(['list'])).stdout).toContain('shop: damage in backup second');
    expect((await sandbox.manage(['status', 'shop'])).stdout).toMatch(/alarm +damage in backup second/);
    const diagnosed = (await sandbox.manage(['diagnose', '--instance', 'shop', '--json'])).json();
    expect(JSON.stringify(diagnosed.data)).toContain('DAMAGE_ALARM');
  });

  it('lasts until a backup was verified since, and an operator says so', async () => {
    const early = await sandbox.manage(['clear-alarm', 'shop', '--json']);
    expect(early.json()).toMatchObject({ ok: false, error: { code: 'DAMAGE_ALARM' } });
    dataOf(await backup('third'));
    expect(await alarmOf()).not.toBeNull();
    expect((await sandbox.manage(['check', 'shop'])).code).toBe(7);
    expect((await sandbox.manage(['clear-alarm', 'shop'])).code).toBe(0);
    expect(await alarmOf()).toBeNull();
    expect((await sandbox.manage(['check', 'shop'])).code).toBe(0);
    expect(dataOf(await cleanup()).removed).toMatchObject([{ id: 'first' }, { id: 'second' }]);
  });
});

describe('damage in the archive behind the backup', () => {
  it('found by prove, raises the alarm too', async () => {
    const archive = join(sandbox.root, 'backups', 'shop', 'wal');
    const segments = (): string[] => readdirSync(archive).filter((name) => /^[0-9A-F]{24}(\.\w+)?$/.test(name));
    const known = segments();
    const written = (): true | undefined => (segments().length > known.length ? true : undefined);
    await superQuery(sandbox, 'shop', 'select pg_switch_wal() from (select pg_create_restore_point($$here$$)) p');
    expect(await poll(written, { signal: new AbortController().signal, timeoutMs: 30_000 })).toBe(true);
    const segment = segments().at(-1) ?? '';
    const newest = join(archive, segment);
    const whole = readFileSync(newest);
    truncateSync(newest, whole.length >> 1);
    expect((await sandbox.manage(['prove', 'shop'])).code).toBe(7);
    const { damage } = await alarmOf();
    expect(damage[0]).toMatchObject({ where: 'the archive', what: expect.stringContaining(segment.slice(0, 24)) });
    // The backup itself is as good as it was.
    const { backups } = dataOf(await sandbox.manage(['list-backups', 'shop', '--json']));
    expect(backups).toMatchObject([{ id: 'third', state: 'verified' }]);
    writeFileSync(newest, whole, { mode: 0o644 });
    expect((await sandbox.manage(['clear-alarm', 'shop', '--force'])).code).toBe(0);
  });
});

describe('damage in the live data', () => {
  it('fails the backup, raises the alarm and names the relation', async () => {
    const [row] = await superQuery<{ path: string }>(
      sandbox,
      'shop',
      `select 'base/' || d.oid as path from pg_database d where datname = 'shop'`,
    );
    const [table] = await query<{ node: string }>(
      await addressOf(sandbox, 'shop'),
      `select pg_relation_filenode('orders')::text as node`,
    );
    const file = `${row?.path}/${table?.node}`;
    expect((await sandbox.manage(['restart', 'shop'])).code).toBe(0); // the page is on disk and nowhere else
    flipByte(join(sandbox.root, 'instances', 'shop', 'data', file), 8192 + 4000);
    const failed = await backup('fourth');
    expect(failed.code).toBe(7);
    expect(failed.json()).toMatchObject({
      error: { code: 'DAMAGED_DATA', message: expect.stringContaining(`shop.public.orders: ${file}, block 1`) },
    });
    expect(await alarmOf()).toMatchObject({
      damage: [{ where: 'the live data', what: expect.stringContaining('shop.public.orders') }],
    });
    expect(readdirSync(join(sandbox.root, 'backups', 'shop', 'base'))).toEqual(['third']);
  });
});

it('prove does not take a backup of an earlier instance of the name for one of this', async () => {
  expect((await sandbox.manage(['destroy', 'shop', '--yes'])).code).toBe(0);
  await sandbox.create('shop', '--template', 'testing');
  const { code, json } = await sandbox.manage(['prove', 'shop', '--json']);
  expect([code, json().error?.code]).toEqual([4, 'BACKUP_NOT_FOUND']);
});

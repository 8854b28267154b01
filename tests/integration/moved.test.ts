import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { listTree, makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { type Address, addressOf, query, superQuery } from '../helpers/database.ts';
import { expectInvariants } from '../helpers/invariants.ts';
import { makeSmallDisk } from '../helpers/small-disk.ts';

let sandbox: Sandbox;
let before: Address;
/** On a file system of its own. */
let disk: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  const { uid, gid } = statSync(sandbox.folder);
  disk = mkdtempSync(join(sandbox.folder.startsWith('/dev/shm/') ? tmpdir() : '/dev/shm', 'pgm-disk-'));
  chownSync(disk, uid, gid);
  await sandbox.create('client-a', '--template', 'minimal', '--pooler');
  before = await addressOf(sandbox, 'client-a');
  await query(before, 'create table kept as select 42 as answer');
  dataOf(await sandbox.manage(['backup', 'client-a', '--backup-name', 'old', '--no-verify', '--json']));
});

afterAll(async () => {
  await sandbox.cleanup();
  rmSync(disk, { recursive: true, force: true });
});

async function refusal(...args: string[]): Promise<{ code: string | undefined; exit: number }> {
  const trees = ['instances', 'backups'].map((folder) => join(sandbox.root, folder));
  const present = trees.map(listTree);
  const { code: exit, json } = await sandbox.manage([...args, '--json']);
  expect(trees.map(listTree)).toEqual(present);
  return { code: json().error?.code, exit };
}

async function kept(name: string): Promise<unknown> {
  return await query(await addressOf(sandbox, name), 'select answer from kept');
}

describe('rename', () => {
  it('is refused where it cannot be, before anything is touched', async () => {
    mkdirSync(join(sandbox.root, 'backups', 'gone', 'wal'), { recursive: true });
    const rename = async (...args: string[]) => await refusal('rename', 'client-a', ...args);
    expect(await rename('--to', 'shop')).toEqual({ code: 'CONFIRMATION_REQUIRED', exit: 2 });
    expect(await rename('--to', 'Client-A', '--yes')).toEqual({ code: 'USAGE', exit: 2 });
    expect(await rename('--to', 'gone', '--yes')).toEqual({ code: 'INSTANCE_EXISTS', exit: 1 });
    expect(await rename('--to', '../x', '--yes')).toEqual({ code: 'BAD_NAME', exit: 2 });
    expect(await rename('--yes')).toEqual({ code: 'USAGE', exit: 2 });
    const plan = await sandbox.manage(['rename', 'client-a', '--to', 'shop', '--dry-run']);
    expect(plan.stdout).toMatch(/^would rename client-a to shop, stopping it for a moment:\n/);
  });

  it('takes along what is known by the name; clients connect as before', async () => {
    expect(dataOf(await sandbox.manage(['rename', 'client-a', '--to', 'shop', '--yes', '--json']))).toMatchObject({
      name: 'shop',
      before: 'client-a',
      state: 'running',
    });
    expect(await query(before, 'select answer, current_setting($$cluster_name$$) as name from kept')).toEqual([
      { answer: 42, name: 'shop' },
    ]);
    const { url } = dataOf(await sandbox.manage(['connect', 'shop', '--via', 'pooler', '--json'])) as Address;
    expect(await query({ url } as Address, 'select answer from kept')).toEqual([{ answer: 42 }]);
    expect((await sandbox.manage(['status', 'client-a'])).code).toBe(4);
    await expectInvariants(sandbox);
    const { ports } = dataOf(await sandbox.manage(['ports', '--json'])) as {
      ports: { instance: string; finding: string }[];
    };
    expect(ports.map(({ instance, finding }) => `${instance} ${finding}`)).toEqual(['shop ok', 'shop ok']);
  });

  it('keeps older backups restorable, WAL of both names in one archive', async () => {
    await query(before, 'insert into kept values (43)');
    const as = ['--as', 'copy', '--port-range', sandbox.portRange];
    dataOf(await sandbox.manage(['restore', 'shop', '--backup-name', 'old', ...as, '--json']));
    expect(await kept('copy')).toEqual([{ answer: 42 }, { answer: 43 }]);
    dataOf(await sandbox.manage(['destroy', 'copy', '--yes', '--json']));
  });
});

describe('move', () => {
  const home = (): string => join(sandbox.root, 'instances', 'shop');
  const data = (): string => join(home(), 'data');

  it('is refused where it cannot be, before anything is touched', async () => {
    const small = await makeSmallDisk(sandbox, 8);
    const full = await small.manage(['move', 'shop', '--to', small.folder, '--yes', '--json']);
    expect([full.code, full.json().error?.code]).toEqual([8, 'DISK_SPACE']);
    await small.remove();
    mkdirSync(join(disk, 'taken', 'shop', 'data'), { recursive: true });
    const move = async (...args: string[]) => await refusal('move', 'shop', ...args);
    expect(await move('--to', join(disk, 'taken'), '--yes')).toEqual({ code: 'INSTANCE_EXISTS', exit: 1 });
    expect(await move('--to', join(data(), 'x'), '--yes')).toEqual({ code: 'USAGE', exit: 2 });
    expect(await move('--to', disk)).toEqual({ code: 'CONFIRMATION_REQUIRED', exit: 2 });
    expect(await move('--yes')).toEqual({ code: 'USAGE', exit: 2 });
    rmSync(join(disk, 'taken'), { recursive: true });
    const plan = await sandbox.manage(['move', 'shop', '--to', disk, '--dry-run']);
    expect(plan.stdout).toContain(`${data()} to ${disk}/shop/data`);
    expect(readdirSync(disk)).toEqual([]);
  });

  it('brings data and tablespaces to another disk, and the old data to quarantine', async () => {
    const folder = join(sandbox.folder, 'fast');
    mkdirSync(folder);
    const { uid, gid } = statSync(sandbox.folder);
    chownSync(folder, uid, gid);
    await superQuery(sandbox, 'shop', `create tablespace fast location '${folder}'`);
    await superQuery(sandbox, 'shop', 'alter table kept set tablespace fast', 'client_a');
    const args = ['move', 'shop', '--to', disk, '--tablespaces', '--yes', '--json'];
    const { state, movedTo, quarantine } = dataOf(await sandbox.manage(args));
    expect({ state, movedTo }).toEqual({ state: 'running', movedTo: join(disk, 'shop', 'data') });
    expect(realpathSync(data())).toBe(movedTo);
    expect(existsSync(join(quarantine as string, 'PG_VERSION'))).toBe(true);
    expect(
      await superQuery(
        sandbox,
        'shop',
        "select pg_tablespace_location(oid) as at from pg_tablespace where spcname = 'fast'",
      ),
    ).toEqual([{ at: expect.stringMatching(`^${disk}/shop/tablespaces/`) }]);
    expect(await kept('shop')).toEqual([{ answer: 42 }, { answer: 43 }]);
    await expectInvariants(sandbox);
    expect(dataOf(await sandbox.manage([...args]))).toMatchObject({ state: 'running' }); // there already
  });

  it('is restored where it is, renamed, destroyed and brought back like any other', async () => {
    // From before the tablespace, the WAL would make it anew where its files still are, which is refused.
    dataOf(await sandbox.manage(['backup', 'shop', '--no-verify', '--json']));
    dataOf(await sandbox.manage(['restore', 'shop', '--yes', '--json']));
    expect(realpathSync(data())).toBe(join(disk, 'shop', 'data'));
    expect(readdirSync(join(disk, 'shop', '.pg-manage', 'quarantine'))).toHaveLength(1);
    expect(await kept('shop')).toEqual([{ answer: 42 }, { answer: 43 }]);
    dataOf(await sandbox.manage(['move', 'shop', '--to', join(sandbox.root, 'instances'), '--yes', '--json']));
    expect(lstatSync(data()).isDirectory()).toBe(true);
    expect(await kept('shop')).toEqual([{ answer: 42 }, { answer: 43 }]);
    // Its tablespace came with the restore, into the other disk: a rename leads to it still.
    dataOf(await sandbox.manage(['rename', 'shop', '--to', 'store', '--yes', '--json']));
    expect(await kept('store')).toEqual([{ answer: 42 }, { answer: 43 }]);
    dataOf(await sandbox.manage(['move', 'store', '--to', disk, '--yes', '--json']));
    const { quarantine } = dataOf(await sandbox.manage(['destroy', 'store', '--yes', '--json']));
    expect(existsSync(join(disk, 'store', 'data'))).toBe(false);
    expect(existsSync(join(quarantine as string, 'data', 'PG_VERSION'))).toBe(true);
  });
});

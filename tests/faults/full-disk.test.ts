import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { listTree, makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { superQuery } from '../helpers/database.ts';
import { expectInvariants } from '../helpers/invariants.ts';
import { makeSmallDisk, type SmallDisk } from '../helpers/small-disk.ts';

const gigabyte = 1024 ** 3;

let sandbox: Sandbox;
let disk: SmallDisk;
let create: string[];

beforeEach(async () => {
  sandbox = await makeSandbox();
  create = ['create', 'shop', '--template', 'testing', '--port-range', sandbox.portRange];
});

afterEach(async () => {
  await disk.manage(['destroy', 'all', '--yes', '--quiet']);
  await disk.remove();
  await sandbox.cleanup();
});

async function archiver(name: string): Promise<{ archived: number; failed: number }> {
  const sql = 'select archived_count::int as archived, failed_count::int as failed from pg_stat_archiver';
  const [counts] = await superQuery<{ archived: number; failed: number }>(sandbox, name, sql);
  return counts ?? { archived: 0, failed: 0 };
}

/** Writes WAL and closes its segment, so that there is something to archive. */
async function writeSegment(name: string): Promise<void> {
  await superQuery(sandbox, name, 'create table if not exists filler (n int)');
  await superQuery(sandbox, name, 'insert into filler select generate_series(1, 1000)');
  await superQuery(sandbox, name, 'select pg_switch_wal()');
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const { signal } = new AbortController();
  const met = await poll(async () => ((await condition()) ? true : undefined), { signal, timeoutMs: 60_000 });
  expect(met).toBe(true);
}

describe('a disk that is full or cannot be written', () => {
  it('stops a create, which leaves nothing', async () => {
    disk = await makeSmallDisk(sandbox, 20);
    const root = join(disk.folder, 'root');
    const created = await disk.manage([...create, '--json'], {
      env: { PG_MANAGE_ROOT: root },
    });
    expect([created.code, created.json().error?.code]).toEqual([8, 'DISK_SPACE']);
    const listed = await disk.manage(['list', '--json'], { env: { PG_MANAGE_ROOT: root } });
    expect(dataOf(listed)).toEqual({ instances: [] });
    expect(listTree(join(sandbox.host, 'leases'))).toEqual([]);
    // Nor is there half a copy of the programs that npm has brought.
    expect(listTree(join(root, '.pg-manage', 'postgres')).filter((line) => !line.startsWith('.lock'))).toEqual([]);
  });

  it('fails a backup, which leaves nothing of it, and the instance goes on', async () => {
    disk = await makeSmallDisk(sandbox, 40);
    const env = { PG_MANAGE_BACKUPS: join(disk.folder, 'backups') };
    dataOf(
      await disk.manage([...create, '--json'], {
        env,
      }),
    );
    await disk.fill(gigabyte);
    const backup = await disk.manage(['backup', 'shop', '--json'], { env });
    expect([backup.code, backup.json().error?.code]).toEqual([8, 'DISK_SPACE']);
    await disk.free();
    expect(dataOf(await disk.manage(['list-backups', 'shop', '--json'], { env }))).toMatchObject({ backups: [] });
    expect((await disk.manage(['status', 'shop'], { env })).code).toBe(0);
    await expectInvariants(sandbox);
  });

  it('holds up the archive only while it lasts: the server goes on, and the archive catches up by itself', async () => {
    disk = await makeSmallDisk(sandbox, 160);
    const env = { PG_MANAGE_BACKUPS: join(disk.folder, 'backups') };
    dataOf(await disk.manage([...create, '--json'], { env }));
    await disk.fill(gigabyte);
    await writeSegment('shop');
    await until(async () => (await archiver('shop')).failed > 0);
    await writeSegment('shop');
    expect(await superQuery(sandbox, 'shop', 'select count(*)::int as rows from filler')).toEqual([{ rows: 2000 }]);
    const { archive } = dataOf(await disk.manage(['status', 'shop', '--json'], { env }));
    expect(archive.waiting).toBeGreaterThan(0);
    expect(archive.failures).toBeGreaterThan(0);
    expect((await disk.manage(['status', 'shop'], { env })).stdout).toMatch(
      /archive +\S.*, \d+ files waiting; failing/,
    );
    const { archived } = await archiver('shop');
    await disk.free();
    await writeSegment('shop');
    await until(async () => (await archiver('shop')).archived >= archived + 3);
    expect(dataOf(await disk.manage(['backup', 'shop', '--json'], { env }))).toMatchObject({ state: 'verified' });
  });

  it('refuses a repository that cannot be written, clearly, and changes nothing', async () => {
    disk = await makeSmallDisk(sandbox, 40);
    const env = { PG_MANAGE_BACKUPS: join(disk.folder, 'backups') };
    await disk.setReadOnly(true);
    const created = await disk.manage([...create, '--json'], { env });
    expect([created.code, created.json().error?.code]).toEqual([1, 'FILE_ACCESS']);
    expect(created.json().error?.message).toContain('read-only');
    expect(dataOf(await disk.manage(['list', '--json'], { env }))).toEqual({ instances: [] });
    await disk.setReadOnly(false);
    dataOf(
      await disk.manage([...create, '--json'], {
        env,
      }),
    );
    await disk.setReadOnly(true);
    const backup = await disk.manage(['backup', 'shop', '--json'], { env });
    expect([backup.code, backup.json().error?.code]).toEqual([1, 'FILE_ACCESS']);
    expect((await disk.manage(['status', 'shop'], { env })).code).toBe(0);
    await disk.setReadOnly(false);
    await expectInvariants(sandbox);
  });
});

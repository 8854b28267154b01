import { chownSync, mkdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { endProcessesOn } from '../../lib/host/processes.ts';
import { dataOf } from '../helpers/answer.ts';
import { beginProgram, makeSandbox, type RunOptions, type Sandbox } from '../helpers/cli.ts';
import { partsNotRun, runRunbook } from '../helpers/runbook.ts';
import { makeSmallDisk } from '../helpers/small-disk.ts';

let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = await makeSandbox();
});

afterEach(async () => {
  await sandbox.cleanup();
});

const create = (name: string): string[] => [
  'create',
  name,
  '--template',
  'testing',
  '--port-range',
  sandbox.portRange,
  '--json',
];

/** One question to `client-a`, wherever it is. */
function psql(sql: string, ...who: string[]): string[] {
  return ['psql', 'client-a', ...who, '--', '-XAtqc', sql];
}

async function makeClient(manage = sandbox.manage): Promise<void> {
  dataOf(await manage(create('client-a')));
  expect((await manage(psql('create table orders as select generate_series(1, 100) as n'))).code).toBe(0);
  dataOf(await manage(['backup', 'client-a', '--json']));
}

async function expectWell(manage = sandbox.manage, env: RunOptions['env'] = {}): Promise<void> {
  const { stdout } = await manage(psql('select sum(n) from orders'), { env });
  expect(stdout).toBe('5050\n');
  expect((await manage(['check', 'client-a'], { env })).code).toBe(0);
}

async function program([file = '', ...args]: string[], inside: readonly string[] = []): Promise<void> {
  expect(await beginProgram(file, args, { inside }).finished).toMatchObject({ code: 0, stderr: '' });
}

describe('lost-machine', () => {
  it('brings a client back from the repository alone, on a host that knows nothing', async () => {
    await makeClient();
    expect((await sandbox.manage(psql('select pg_switch_wal()', '-u', 'postgres'))).code).toBe(0);
    expect((await sandbox.manage(['check', 'client-a'])).code).toBe(0);
    const copy = join(sandbox.folder, 'copy');
    await program(['cp', '-a', join(sandbox.root, 'backups'), copy]);
    await endProcessesOn(sandbox.root);
    rmSync(sandbox.root, { recursive: true });
    rmSync(sandbox.host, { recursive: true });
    await runRunbook(sandbox, 'lost-machine', { given: { PG_MANAGE_BACKUPS: copy } });
    await expectWell(sandbox.manage, { PG_MANAGE_BACKUPS: copy });
  });
});

describe('move', () => {
  it('If one client goes to another disk of this host', async () => {
    await makeClient();
    const given = { DISK: join(sandbox.folder, 'new-disk') };
    await runRunbook(sandbox, 'move', { follow: ['If one client goes to another disk of this host'], given });
    await expectWell();
    expect(realpathSync(join(sandbox.root, 'instances', 'client-a', 'data'))).toBe(
      join(given.DISK, 'client-a', 'data'),
    );
  });

  it('If all go to another disk of this host', async () => {
    await makeClient();
    const given = { PG_MANAGE_ROOT: sandbox.root, NEW: join(sandbox.folder, 'new-disk') };
    await runRunbook(sandbox, 'move', { follow: ['If all go to another disk of this host'], given });
    const env = { PG_MANAGE_ROOT: given.NEW };
    await expectWell(sandbox.manage, env);
    expect((await sandbox.manage(['ports', '--json'], { env })).stdout).not.toContain(`${sandbox.root}"`);
    dataOf(await sandbox.manage(['destroy', 'all', '--yes', '--json'], { env }));
  });

  it('If it is another host', async () => {
    await makeClient();
    expect((await sandbox.manage(psql('insert into orders values (-1), (1)'))).code).toBe(0); // archived nowhere yet
    const there = join(sandbox.folder, 'there');
    const { uid, gid } = statSync(sandbox.folder);
    mkdirSync(there);
    chownSync(there, uid, gid);
    const places = { PG_MANAGE_ROOT: join(there, 'root'), PG_MANAGE_HOST: join(there, 'host') };
    const given = { REPOSITORY: join(sandbox.root, 'backups'), THERE: join(there, 'backups'), ...places };
    await runRunbook(sandbox, 'move', { follow: ['If it is another host'], given });
    const env = { ...places, PG_MANAGE_BACKUPS: given.THERE };
    await expectWell(sandbox.manage, env);
    expect((await sandbox.manage(psql('select count(*) from orders'), { env })).stdout).toBe('102\n');
    dataOf(await sandbox.manage(['destroy', 'all', '--yes', '--json'], { env }));
  });
});

describe('disk-full-of-wal', () => {
  /** WAL in pieces of ten megabytes, and nothing else. */
  const write = (pieces: number): string[] => {
    const message = "pg_logical_emit_message(true, '', repeat('x', 10000000))";
    return psql(`select ${message} from generate_series(1, ${pieces})`, '-u', 'postgres');
  };

  it('If the disk is full, as the archive cannot be written', async () => {
    const disk = await makeSmallDisk(sandbox, 320);
    const root = join(disk.folder, 'root');
    const env = { PG_MANAGE_ROOT: root };
    const manage: Sandbox['manage'] = async (args, options) => await disk.manage(args, { ...options, env });
    try {
      await makeClient(manage);
      dataOf(await manage(create('client-b')));
      const filler = 'create unlogged table filler as select repeat(md5(n::text), 20) from generate_series(1, 90000) n';
      expect((await manage(['psql', 'client-b', '--', '-Xqc', filler])).code).toBe(0);
      const { quarantine } = dataOf(await manage(['destroy', 'client-b', '--yes', '--json']));
      const archive = join(root, 'backups', 'client-a', 'wal');
      await program(['chmod', '0500', archive], disk.inside);
      let rounds = 0;
      while ((await manage(write(4))).code === 0) expect(++rounds).toBeLessThan(10);

      const follow = ['If the disk is full', 'If the archive cannot be written'];
      const given = { ROOT: root, REPLACED: basename(quarantine), ARCHIVE: archive };
      await runRunbook(sandbox, 'disk-full-of-wal', { follow, given, env, inside: disk.inside });
      await expectWell(manage);
    } finally {
      await manage(['destroy', 'all', '--yes', '--quiet']);
      await disk.remove();
    }
  }, 240_000); // an archive that failed is tried again after a minute

  it('If a replication slot keeps it', async () => {
    await makeClient();
    const slot = psql("select pg_create_physical_replication_slot('standby_1', true)", '-u', 'postgres');
    expect((await sandbox.manage(slot)).code).toBe(0);
    expect((await sandbox.manage(write(12))).code).toBe(0);
    expect(await finishedSegments()).toBeGreaterThan(6);
    const given = { ROOT: sandbox.root, SLOT: 'standby_1' };
    await runRunbook(sandbox, 'disk-full-of-wal', { follow: ['If a replication slot keeps it'], given });
    expect(await finishedSegments()).toBeLessThan(3);
    await expectWell();
  });

  /** How many the server has kept behind the one it writes; those that wait for use have later names. */
  async function finishedSegments(): Promise<number> {
    const sql = 'select count(*) from pg_ls_waldir() where name < pg_walfile_name(pg_current_wal_lsn())';
    return Number((await sandbox.manage(psql(sql, '-u', 'postgres'))).stdout);
  }
});

it.each(['lost-machine', 'move', 'disk-full-of-wal'])('all of %s was run', (name) =>
  expect(partsNotRun(name)).toEqual([]),
);

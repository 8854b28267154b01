import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { projectDirectory } from '../../lib/host/project.ts';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { beginProgram, hasAllPrograms, makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { addressOf, query, superQuery } from '../helpers/database.ts';
import { leaveShareOfPorts } from '../helpers/ports.ts';
import { partsNotRun, runRunbook } from '../helpers/runbook.ts';

let sandbox: Sandbox;
let archive: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('client-a', '--template', 'testing');
  leaveShareOfPorts(sandbox, 'data');
  archive = join(sandbox.root, 'backups', 'client-a', 'wal');
  await ask('create table orders as select generate_series(1, 100) as n');
  await act('backup', 'client-a');
});

afterAll(async () => {
  await sandbox.cleanup();
});

async function act(...args: string[]) {
  return dataOf(await sandbox.manage([...args, '--json']));
}

async function ask(sql: string): Promise<pg.QueryResultRow[]> {
  return await query(await addressOf(sandbox, 'client-a'), sql);
}

async function expectWell(): Promise<void> {
  expect(await ask('select sum(n)::int as sum from orders')).toEqual([{ sum: 5050 }]);
  expect((await sandbox.manage(['check', 'client-a'])).code).toBe(0);
}

/** The server's clock, as an operator writes a time. */
async function clock(): Promise<string> {
  const [row] = await ask('select clock_timestamp()::text as now');
  return String(row?.['now']);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const { signal } = new AbortController();
  const met = async (): Promise<true | undefined> => ((await condition()) ? true : undefined);
  expect(await poll(met, { signal, timeoutMs: 90_000 })).toBe(true);
}

describe('backup-failed', () => {
  it('If the repository cannot be written', async () => {
    chmodSync(archive, 0o500);
    await writeSegment();
    await until(async () => (await sandbox.manage(['check', 'client-a'])).code === 7);
    await runRunbook(sandbox, 'backup-failed', {
      follow: ['If the repository cannot be written'],
      given: { REPOSITORY: join(sandbox.root, 'backups'), OWNER: serviceAccount()?.name ?? userInfo().username },
    });
    await expectWell();
  });

  it('If WAL is missing in the archive', async () => {
    const lost = await writeSegment();
    await until(() => stored(lost) !== undefined);
    rmSync(join(archive, stored(lost) ?? ''));
    const next = await writeSegment();
    await until(() => stored(next) !== undefined);
    await runRunbook(sandbox, 'backup-failed', { follow: ['If WAL is missing in the archive'] });
    await expectWell();
  });

  /** The archive's file of a segment, which may be compressed. */
  const stored = (segment: string): string | undefined =>
    readdirSync(archive).find((file) => file.startsWith(segment) && !file.endsWith('.backup'));

  /** Writes WAL and closes its segment. @returns its name */
  async function writeSegment(): Promise<string> {
    await ask('create table if not exists filler (n int); insert into filler values (1)');
    const [row] = await superQuery<{ name: string }>(
      sandbox,
      'client-a',
      'select pg_walfile_name(pg_switch_wal()) as name',
    );
    return row?.name ?? '';
  }
});

describe('restore-to-a-moment', () => {
  it('If one table is to come back', async () => {
    const WHEN = await clock();
    await ask('drop table orders');
    await ask('create table kept (n int)');
    const way = { follow: ['If one table is to come back'], given: { WHEN, POINT: 'first' } };
    const run = runRunbook(sandbox, 'restore-to-a-moment', way);
    if (hasAllPrograms()) await run;
    else {
      // The page says that pg_dump of the server's major is needed; another's refuses, and the table is beside all the same.
      await expect(run).rejects.toThrow(/ -- pg_dump .*\n.*(version mismatch|no such program)/);
      const there = await query(await addressOf(sandbox, 'client-a-then'), 'select n from orders');
      await ask(`create table orders as select unnest('{${there.map(({ n }) => n).join()}}'::int[]) as n`);
      await act('destroy', 'client-a-then', '--yes');
    }
    await expectWell();
    expect(await ask('select n from kept')).toEqual([]);
  });

  it('If all is to go back', async () => {
    const WHEN = await clock();
    await ask('delete from orders; create table mistake (n int)');
    await runRunbook(sandbox, 'restore-to-a-moment', {
      follow: ['If all is to go back'],
      given: { WHEN, POINT: 'second' },
    });
    await expectWell();
    expect(await ask("select to_regclass('mistake') as mistake")).toEqual([{ mistake: null }]);
  });
});

describe('corruption', () => {
  it('is undone from backup and WAL', async () => {
    await ask('create table wide as select n, repeat(md5(n::text), 20) as filler from generate_series(1, 500) n');
    const [row] = await superQuery<{ path: string }>(
      sandbox,
      'client-a',
      "select pg_relation_filepath('wide') as path",
      'client_a',
    );
    await act('restart', 'client-a'); // the page is on disk and nowhere else
    const file = join(sandbox.root, 'instances', 'client-a', 'data', row?.path ?? '');
    flipByte(file, 8192 + 4000);
    await runRunbook(sandbox, 'corruption', { given: { LOOK: 'select count(filler) from wide' } });
    await expectWell();
    expect(await ask('select count(filler)::int as rows from wide')).toEqual([{ rows: 500 }]);
  });

  function flipByte(file: string, at: number): void {
    const handle = openSync(file, 'r+');
    const byte = Buffer.alloc(1);
    readSync(handle, byte, 0, 1, at);
    writeSync(handle, Buffer.from([(byte[0] ?? 0) ^ 0x40]), 0, 1, at);
    closeSync(handle);
  }
});

describe('upgrade-the-tool', () => {
  const newVersion = async (origin: string): Promise<void> => {
    const who = ['-c', 'user.name=test', '-c', 'user.email=test@localhost'];
    await git('-C', origin, ...who, 'commit', '-q', '--allow-empty', '-m', 'a newer version');
  };

  it('leaves the servers alone, there and back', async () => {
    const [origin, checkout] = [join(sandbox.folder, 'origin'), join(sandbox.folder, 'checkout')];
    await git('init', '-q', '--initial-branch=main', origin);
    await git('-C', origin, 'fetch', '-q', projectDirectory, 'HEAD');
    await git('-C', origin, 'reset', '-q', '--hard', 'FETCH_HEAD');
    await git('clone', '-q', origin, checkout);
    const old = await git('-C', checkout, 'rev-parse', 'HEAD');
    const started = await ask('select pg_postmaster_start_time()::text as at');
    const bin = standInForNpm();
    const env = { PATH: `${bin}:${process.env['PATH']}` };
    expect((await beginProgram(join(bin, 'npm'), ['ci'], { cwd: checkout }).finished).code).toBe(0);

    await newVersion(origin);
    await runRunbook(sandbox, 'upgrade-the-tool', { given: { CHECKOUT: checkout }, env });
    const upgraded = await git('-C', checkout, 'rev-parse', 'HEAD');
    expect(upgraded).toBe(await git('-C', origin, 'rev-parse', 'HEAD'));
    expect(upgraded).not.toBe(old);

    await newVersion(origin);
    const follow = ['If the new one misbehaves'];
    await runRunbook(sandbox, 'upgrade-the-tool', { follow, given: { CHECKOUT: checkout }, env });
    expect(await git('-C', checkout, 'rev-parse', 'HEAD')).toBe(upgraded);
    expect(await ask('select pg_postmaster_start_time()::text as at')).toEqual(started);
    await expectWell();
  });

  async function git(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await beginProgram('git', args).finished;
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }

  /** `npm ci` without the registry, which is no part of this: links to the packages that are here. @returns its folder */
  function standInForNpm(): string {
    const bin = join(sandbox.folder, 'bin');
    const packages = join(projectDirectory, 'node_modules');
    const script = `#!/bin/sh\n[ "$*" = ci ] || exit 2\nrm -rf node_modules\nmkdir node_modules\nln -s '${packages}'/* node_modules\n`;
    mkdirSync(bin);
    writeFileSync(join(bin, 'npm'), script, { mode: 0o755 });
    return bin;
  }
});

it.each(['backup-failed', 'restore-to-a-moment', 'corruption', 'upgrade-the-tool'])('all of %s was run', (name) =>
  expect(partsNotRun(name)).toEqual([]),
);

import { chownSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { processesOn } from '../../lib/host/processes.ts';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { type Address, addressOf, Load, pgbenchInit, query, superQuery } from '../helpers/database.ts';

let sandbox: Sandbox;
let address: Address;
let publisher: Server;
let knocks = 0;

/** A folder that the server may put a tablespace into. */
function space(name: string): string {
  const folder = join(sandbox.folder, name);
  mkdirSync(folder);
  const owner = serviceAccount();
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  return folder;
}

/**
 * Everything below a folder, with size and times: equal listings mean that nothing was touched. What the archive's script is
 * still writing is left out.
 */
function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => !/(^|\/)\.incoming/.test(path))
    .toSorted()
    .map((path) => {
      const { size, mtimeMs, ctimeMs } = statSync(join(folder, path));
      return `${path} ${size} ${mtimeMs} ${ctimeMs}`;
    });
}

/** The inodes of TCP sockets that someone listens on (proc(5): state 0A). */
function listeningInodes(): Set<string> {
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1));
  return new Set(
    lines.map((line) => line.trim().split(/\s+/)).flatMap((row) => (row[3] === '0A' ? [row[9] ?? ''] : [])),
  );
}

function socketsOf(pid: number): string[] {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).flatMap((fd) => /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, fd)))?.[1] ?? []);
  } catch {
    return []; // it has ended meanwhile
  }
}

beforeAll(async () => {
  sandbox = await makeSandbox();
  publisher = createServer((socket) => {
    knocks += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => publisher.listen(0, '127.0.0.1', resolve));
  await sandbox.create('shop');
  address = await addressOf(sandbox, 'shop');
  await pgbenchInit(address, 1);
  await superQuery(sandbox, 'shop', `create tablespace fast location '${space('fast')}'`);
  await superQuery(
    sandbox,
    'shop',
    `create table kept (n int) with (autovacuum_enabled = off) tablespace fast;
     insert into kept select generate_series(1, 1000)`,
    'shop',
  );
  const { port } = publisher.address() as AddressInfo;
  await superQuery(
    sandbox,
    'shop',
    `create subscription news connection 'host=127.0.0.1 port=${port} user=nobody' publication news with (connect = false)`,
    'shop',
  );
  await superQuery(sandbox, 'shop', 'alter subscription news enable', 'shop');
});

afterAll(async () => {
  await new Promise((resolve) => publisher.close(resolve));
  await sandbox.cleanup();
});

describe('a test restore beside the live server', () => {
  it('touches nothing of it: archive, ports, sockets, log, tablespace, subscription', async () => {
    const { signal } = new AbortController();
    // The living server has the subscription, and knocks; that is how the test knows that it would be seen.
    expect(await poll(() => (knocks > 0 ? true : undefined), { signal, timeoutMs: 30_000 })).toBe(true);
    dataOf(await sandbox.manage(['backup', 'shop', '--no-verify', '--backup-name', 'one', '--json']));
    await superQuery(sandbox, 'shop', 'alter subscription news disable', 'shop');
    await superQuery(sandbox, 'shop', 'checkpoint');
    const archive = join(sandbox.root, 'backups', 'shop', 'wal');
    const instance = join(sandbox.root, 'instances', 'shop');
    const before = {
      archive: listing(archive),
      fast: listing(join(sandbox.folder, 'fast')),
      run: readdirSync(join(instance, 'run')),
      knocks,
    };
    const load = new Load(address);
    const seen = new Set<number>();
    const listening: number[] = [];
    let ended = false;
    const verified = sandbox
      .manage(['verify-backup', 'shop', '--level', 'full', '--json'])
      .finally(() => (ended = true));
    const watching = poll(
      () => {
        const inodes = listeningInodes();
        for (const pid of processesOn(join(sandbox.root, '.pg-manage', 'scratch'))) {
          seen.add(pid);
          if (socketsOf(pid).some((inode) => inodes.has(inode))) listening.push(pid);
        }
        return ended ? true : undefined;
      },
      { signal, timeoutMs: 110_000, maxMs: 50 },
    );
    expect(dataOf(await verified)).toMatchObject({ state: 'verified' });
    await watching;
    await load.stop();
    expect(seen.size).toBeGreaterThan(1);
    expect(listening).toEqual([]);
    expect(knocks).toBe(before.knocks);
    expect(listing(join(sandbox.folder, 'fast'))).toEqual(before.fast);
    expect(readdirSync(join(instance, 'run'))).toEqual(before.run);
    const after = listing(archive);
    expect(before.archive.filter((line) => !after.includes(line))).toEqual([]);
    // What is new there is the living server's next segments, of its own timeline.
    const added = after.filter((line) => !before.archive.includes(line)).map((line) => line.split(' ')[0] ?? '');
    expect(added.filter((name) => !/^00000001[0-9A-F]{16}\.zst$/.test(name))).toEqual([]);
    const log = readdirSync(join(instance, 'log')).map((name) => readFileSync(join(instance, 'log', name), 'utf8'));
    expect(/archive recovery|selected new timeline/.exec(log.join(''))).toBeNull();
    const writers = new Set([...log.join('').matchAll(/ \[(\d+)\] /g)].map((match) => Number(match[1])));
    expect([...seen].filter((pid) => writers.has(pid))).toEqual([]);
  });

  it('ends before WAL that makes a tablespace, says so, and leaves that folder alone', async () => {
    const later = space('later');
    const quietAt = new Date().toISOString();
    await query(address, 'create table before_it as select 1 as n');
    const startedAt = await superQuery(sandbox, 'shop', 'select pg_postmaster_start_time() as at');
    await superQuery(sandbox, 'shop', `create tablespace later location '${later}'`);
    await superQuery(
      sandbox,
      'shop',
      'create table there (n int) tablespace later; insert into there values (1)',
      'shop',
    );
    await query(address, 'create table after_it as select 1 as n');
    await superQuery(sandbox, 'shop', 'checkpoint');
    const before = listing(later);
    const full = await sandbox.manage(['verify-backup', 'shop', '--level', 'full', '--json']);
    expect(dataOf(full)).toMatchObject({ state: 'verified' });
    expect(full.json().warnings.join('\n')).toContain(`makes a tablespace in ${later}`);
    expect(listing(later)).toEqual(before);

    // Nor does a restore for good, which could not be taken back: it goes up to there at the most.
    let lsn = '';
    const beside = ['restore', 'shop', '--as', 'copy', '--port-range', sandbox.portRange, '--json'];
    for (const refused of [
      beside,
      ['clone', 'shop', '--as', 'copy', '--port-range', sandbox.portRange, '--json'],
      ['restore', 'shop', '--yes', '--json'],
      [...beside, '--to-time', new Date().toISOString()],
    ]) {
      const planned = (await sandbox.manage([...refused, '--dry-run'])).json();
      const { error } = (await sandbox.manage(refused)).json();
      expect(error).toMatchObject({ code: 'RESTORE_TARGET', message: expect.stringContaining(later) });
      // Also while the server alone has that WAL, and has not archived it: then nobody is told to.
      expect(planned.error).toEqual(error);
      lsn = / --to-lsn ([0-9A-F/]+),/.exec(error?.hint ?? '')?.[1] ?? '';
    }
    expect(await superQuery(sandbox, 'shop', 'select pg_postmaster_start_time() as at')).toEqual(startedAt);
    for (const target of [
      ['--to-lsn', lsn],
      ['--to-time', quietAt],
    ]) {
      expect(dataOf(await sandbox.manage([...beside, ...target, '--dry-run']))).toMatchObject({ name: 'copy' });
      expect(dataOf(await sandbox.manage([...beside, ...target]))).toMatchObject({ name: 'copy', state: 'running' });
      const kept = await superQuery(sandbox, 'copy', 'select count(*)::int as n from kept', 'shop');
      expect(kept).toEqual([{ n: 1000 }]);
      expect((await sandbox.manage(['destroy', 'copy', '--yes'])).code).toBe(0);
    }
    expect(listing(later)).toEqual(before);
    // A new backup holds it, and is proven to the end.
    const renewed = await sandbox.manage(['backup', 'shop', '--level', 'full', '--json']);
    expect(dataOf(renewed)).toMatchObject({ state: 'verified' });
    expect(renewed.json().warnings).toEqual([]);
    expect(listing(later)).toEqual(before);
  });
});

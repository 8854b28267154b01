import { execFileSync } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Installation, program } from '../../lib/postgres/installations.ts';
import { lsnBytes, parseLsn } from '../../lib/postgres/lsn.ts';
import { readWal, type WalEnd } from '../../lib/postgres/wal-reader.ts';
import { readTablespaces, tablespacesMade, whyWalEnds } from '../../lib/postgres/waldump.ts';
import { unpackedWal } from '../../lib/backups/unpacked-wal.ts';
import { Task } from '../../lib/task.ts';
import { startThrowawayServer, type ThrowawayServer } from '../helpers/throwaway-server.ts';

const { signal } = new AbortController();
let server: ThrowawayServer;
let wal: string;
let first: string;
let last: string;

beforeAll(async () => {
  server = await startThrowawayServer({ wal_keep_size: '1GB', max_wal_size: '2GB' }, { withClients: true });
  wal = join(server.folder, 'data', 'pg_wal');
  const space = join(server.folder, 'space');
  mkdirSync(space);
  const { uid, gid } = statSync(wal);
  chownSync(space, uid, gid);
  await server.query('postgres', async (client) => {
    const { rows } = await client.query<{ lsn: string }>('select pg_current_wal_insert_lsn() as lsn');
    first = rows[0]?.lsn ?? '';
    // Records longer than a page, over the ends of segments, and a switch in the midst of one.
    await client.query(
      'create table wide as select n, repeat(md5(n::text), 200) as text from generate_series(1, 3000) n',
    );
    await client.query('alter table wide alter text set storage external');
    await client.query('update wide set n = n + 1, text = text || n');
    await client.query('select pg_switch_wal()');
    await client.query(`create tablespace elsewhere location '${space}'`);
    await client.query('create index on wide (n)');
    await client.query('checkpoint');
    const ended = await client.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn from pg_switch_wal()');
    last = ended.rows[0]?.lsn ?? '';
  });
});

afterAll(async () => {
  await server.stop();
});

/** Those of the server. */
const programs = (): Installation => ({ bindir: server.bindir, major: 0, version: '' });

/** Every record as pg_waldump tells it. */
function dumped(from: string, to: string): string[] {
  const args = ['--path', wal, '--start', from, '--end', to];
  const text = execFileSync(program(server, 'pg_waldump'), args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  return [...text.matchAll(/^rmgr: .*len \(rec\/tot\): +\d+\/ *(\d+),.*lsn: ([0-9A-F/]+),/gm)].map(
    ([, length = '', lsn = '']) => `${lsnBytes(parseLsn(lsn))} ${length}`,
  );
}

async function readAll(from: string, to: string, folder = wal): Promise<{ records: string[]; end: WalEnd }> {
  const records: string[] = [];
  const reach = { folder, timeline: 1, from: parseLsn(from), to: parseLsn(to) };
  const end = await readWal(reach, ({ lsn, bytes }) => records.push(`${lsnBytes(lsn)} ${bytes.length}`), signal);
  return { records, end };
}

describe('WAL that a server has written', () => {
  it('is read record by record as pg_waldump reads it', async () => {
    const { records, end } = await readAll(first, last);
    expect(records.length).toBeGreaterThan(3000);
    expect(records).toEqual(dumped(first, last));
    expect(end).toEqual({ at: expect.any(String) });
  });

  it('is read from the beginning of a segment too, where that cuts a record', async () => {
    const segmentBytes = 16 * 1024 * 1024;
    const second = (lsnBytes(parseLsn(first)) / BigInt(segmentBytes) + 1n) * BigInt(segmentBytes);
    const from = `0/${second.toString(16).toUpperCase()}`;
    expect((await readAll(from, last)).records).toEqual(dumped(from, last));
  });

  it('tells the tablespaces it makes', async () => {
    const reach = { folder: wal, timeline: 1, from: parseLsn(first), to: parseLsn(last) };
    const made = await readTablespaces(reach, { signal });
    expect(made.map(({ folder }) => folder)).toEqual([join(server.folder, 'space')]);
    const task = new Task(signal, () => undefined);
    expect(await tablespacesMade(programs(), reach, task)).toEqual(made);
    // A recovery that is to end at the record before it does so.
    const [one] = made;
    expect((await readAll(one?.after ?? first, one?.lsn ?? last)).records).toHaveLength(1);
  });

  it('is read to the end of what an archive has: pg_waldump would wait five seconds for the next segment', async () => {
    const archive = join(server.folder, 'archive');
    mkdirSync(archive);
    for (const number of [1, 2])
      copyFileSync(join(wal, `00000001000000000000000${number}`), join(archive, `00000001000000000000000${number}`));
    const packed = {
      archive,
      segmentBytes: 16_777_216,
      restoreScript: '/nowhere',
      folder: join(server.folder, 'unpacked'),
    };
    const task = new Task(signal, () => undefined);
    const ends: string[] = [];
    for await (const reach of unpackedWal(packed, { timeline: 1, from: parseLsn(first) }, task)) {
      ends.push(reach.to ?? '');
      expect(await whyWalEnds(programs(), reach, task)).toBeUndefined();
    }
    expect(ends).toEqual(['0/3000000']);
    rmSync(archive, { recursive: true });
  });

  it('is not believed when a bit of it has flipped, and is missing where a segment is', async () => {
    const copy = join(server.folder, 'copy');
    mkdirSync(copy);
    const name = '000000010000000000000001';
    const bytes = readFileSync(join(wal, name));
    const at = Number(lsnBytes(parseLsn(first)) % 16_777_216n) + 100_000;
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    writeFileSync(join(copy, name), bytes);
    const flipped = await readAll(first, last, copy);
    expect(flipped.end.damage).toMatch(/error in WAL record at 0\/|invalid page/);
    expect(lsnBytes(flipped.end.at)).toBeLessThan(16_777_216n + BigInt(at));
    copyFileSync(join(wal, name), join(copy, name));
    const short = await readAll(first, last, copy);
    expect(short.end).toMatchObject({ missing: '000000010000000000000002' });
    expect(short.end.damage).toBeUndefined();
    rmSync(copy, { recursive: true });
  });
});

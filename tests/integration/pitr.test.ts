import { randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { type Address, addressOf, query, superQuery } from '../helpers/database.ts';

/** How many random targets of each kind; PG_TEST_ROUNDS=20 for many. */
const rounds = Number(process.env['PG_TEST_ROUNDS'] ?? 2);
const commitCount = 200;

interface Commit {
  n: number;
  xid: string;
  /** The position behind its commit. */
  lsn: string;
  /** A moment after its commit and before the next one's, with microseconds. */
  time: string;
}

let sandbox: Sandbox;
let address: Address;
const commits: Commit[] = [];
/** Restore points and the number of the last commit before each. */
const points = new Map<string, number>();

async function commit(client: pg.Client, n: number): Promise<void> {
  await client.query('begin');
  const { rows } = await client.query<{ xid: string }>(
    'insert into numbered values ($1) returning pg_current_xact_id()::text as xid',
    [n],
  );
  await client.query('commit');
  const after = await client.query<{ lsn: string; time: string }>(
    `select pg_current_wal_insert_lsn()::text as lsn,
            to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as time`,
  );
  commits.push({ n, xid: rows[0]?.xid ?? '', ...(after.rows[0] ?? { lsn: '', time: '' }) });
}

/** Commits up to a number, with a few switches of the WAL segment on the way. */
async function commitUpTo(last: number): Promise<void> {
  const client = new pg.Client({ connectionString: address.url });
  await client.connect();
  try {
    for (let n = commits.length + 1; n <= last; n++) await commit(client, n);
  } finally {
    await client.end();
  }
  await superQuery(sandbox, 'shop', 'select pg_switch_wal()');
}

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing');
  address = await addressOf(sandbox, 'shop');
  await query(address, 'create table numbered (n int primary key)');
  for (const name of ['first', 'second']) {
    expect((await sandbox.manage(['backup', 'shop', '--backup-name', name, '--no-verify'])).code).toBe(0);
    const base = commits.length;
    for (let round = 1; round <= rounds; round++) {
      await commitUpTo(base + Math.floor((round * commitCount) / 2 / rounds));
      const point = `point ${name} ${round}`;
      expect((await sandbox.manage(['restore-point', 'shop', '--name', point])).code).toBe(0);
      points.set(point, commits.length);
    }
  }
  expect(commits).toHaveLength(commitCount);
});

afterAll(async () => {
  await sandbox.cleanup();
});

/** Restores beside, and says which commits are there. */
async function restoredTo(...target: string[]): Promise<{ numbers: number[]; backupId: string }> {
  const beside = ['--as', 'copy', '--port-range', sandbox.portRange];
  const data = dataOf(await sandbox.manage(['restore', 'shop', ...beside, ...target, '--json']));
  const rows = await query<{ n: number }>(await addressOf(sandbox, 'copy'), 'select n from numbered order by n');
  expect((await sandbox.manage(['destroy', 'copy', '--yes'])).code).toBe(0);
  return { numbers: rows.map(({ n }) => n), backupId: data.backupId };
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
const anyOf = <T>(items: readonly T[]): T => items[randomInt(items.length)] as T;

describe('a restore to a point in time ends exactly there', () => {
  const kinds: [kind: string, target: (of: Commit) => string[]][] = [
    ['time', ({ time }) => ['--to-time', time]],
    ['lsn', ({ lsn }) => ['--to-lsn', lsn]],
    ['xid', ({ xid }) => ['--to-xid', xid]],
  ];
  it.each(kinds)(
    'for random targets by %s',
    async (_, target) => {
      for (let round = 0; round < rounds; round++) {
        const chosen = anyOf(commits);
        const { numbers, backupId } = await restoredTo(...target(chosen));
        expect({ ...chosen, numbers }).toEqual({ ...chosen, numbers: upTo(chosen.n) });
        // The first commits of each half may be within the second that the backup ended in.
        if (chosen.n > commitCount / 2 + 1) expect(backupId).toBe('second');
        if (chosen.n <= commitCount / 2) expect(backupId).toBe('first');
      }
    },
    60_000 * Math.max(rounds, 2),
  );

  it(
    'for restore points',
    async () => {
      for (let round = 0; round < rounds; round++) {
        const [name, last] = anyOf([...points]);
        const { numbers, backupId } = await restoredTo('--to-name', name);
        expect({ name, numbers }).toEqual({ name, numbers: upTo(last) });
        expect(backupId).toBe(last > commitCount / 2 ? 'second' : 'first');
      }
    },
    60_000 * Math.max(rounds, 2),
  );

  it('for the end of a backup, and for the newest transaction', async () => {
    expect((await restoredTo('--to', 'immediate')).numbers).toEqual(upTo(commitCount / 2));
    expect((await restoredTo('--to', 'latest')).numbers).toEqual(upTo(commitCount));
  });
});

describe('a target that cannot be reached', () => {
  it('is refused before anything is made, or told as missed, and leaves nothing', async () => {
    const beside = ['restore', 'shop', '--as', 'copy', '--port-range', sandbox.portRange, '--json'];
    const early = await sandbox.manage([...beside, '--to-xid', '3']);
    expect(early.json()).toMatchObject({ ok: false, error: { code: 'RESTORE_TARGET' } });
    const unknown = await sandbox.manage([...beside, '--to-name', 'never made']);
    expect(unknown.json()).toMatchObject({
      error: { code: 'RESTORE_TARGET', message: expect.stringContaining('restore point "never made"') },
    });
    expect((await sandbox.manage(['status', 'copy'])).code).toBe(4);
  });

  it('is planned without a change by --dry-run', async () => {
    const { lsn } = commits.at(-1) as Commit;
    const data = dataOf(await sandbox.manage(['restore', 'shop', '--to-lsn', lsn, '--dry-run', '--json']));
    expect(data).toMatchObject({ backupId: 'second', timeline: 1, target: lsn, gaps: [], expectedSeconds: null });
    expect(data.walSegments).toBeGreaterThanOrEqual(2);
    expect(data.walStoredBytes).toBeGreaterThan(0);
    expect(data.freeBytes).toBeGreaterThan(data.dataBytes);
  });
});

it('a clone is an instance of its own with the same rows', async () => {
  const cloned = await sandbox.manage(['clone', 'shop', '--as', 'twin', '--port-range', sandbox.portRange, '--json']);
  expect(dataOf(cloned)).toMatchObject({ name: 'twin', state: 'running' });
  const twin = await addressOf(sandbox, 'twin');
  await query(twin, 'insert into numbered values (1000)');
  expect(await query(twin, 'select count(*)::int as count from numbered')).toEqual([{ count: commitCount + 1 }]);
  expect(await query(address, 'select count(*)::int as count from numbered')).toEqual([{ count: commitCount }]);
});

it('a restore follows the timeline of the present data, not that of one which was undone', async () => {
  // Its server has begun a timeline, archived the history of it, and then has no database to answer from.
  await superQuery(sandbox, 'shop', 'alter database shop rename to away');
  expect((await sandbox.manage(['restore', 'shop', '--yes'])).code).toBe(1);
  await superQuery(sandbox, 'shop', 'alter database away rename to shop');
  expect(readdirSync(join(sandbox.root, 'backups', 'shop', 'wal'))).toContain('00000002.history');
  expect(dataOf(await sandbox.manage(['restore', 'shop', '--dry-run', '--json']))).toMatchObject({ timeline: 1 });
  const other = await sandbox.manage(['restore', 'shop', '--timeline', '2', '--dry-run', '--json']);
  expect(dataOf(other)).toMatchObject({ timeline: 2 });

  // Nor is that one what a proof goes by: the newest backup does not lead to it.
  expect((await sandbox.manage(['backup', 'shop', '--backup-name', 'third', '--no-verify'])).code).toBe(0);
  expect(dataOf(await sandbox.manage(['prove', 'shop', '--dry-run', '--json']))).toMatchObject({ backupId: 'third' });
});

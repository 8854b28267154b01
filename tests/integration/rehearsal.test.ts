import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { type Address, addressOf, query, superQuery } from '../helpers/database.ts';
import { putFiles } from '../helpers/files.ts';
import { expectInvariants } from '../helpers/invariants.ts';

/** What the report says of one file. */
interface Rehearsed {
  version: string;
  seconds: number;
  locks: { relation: string; mode: string; heldSeconds: number; blocks: string }[];
  rewritten: { relation: string; sizeBytes: number; rows: number | null }[];
  rows: { inserted: number; updated: number; deleted: number };
  alreadyApplied: boolean;
}

let sandbox: Sandbox;
let address: Address;
let folder: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('client-a');
  address = await addressOf(sandbox, 'client-a');
  // Of itself the server is to write nothing.
  await superQuery(sandbox, 'client-a', 'ALTER SYSTEM SET autovacuum = off');
  await superQuery(sandbox, 'client-a', 'SELECT pg_reload_conf()');
  folder = putFiles(join(sandbox.folder, 'migrations'), {
    '1_big.sql': `CREATE TABLE big (id int PRIMARY KEY, note text);
      INSERT INTO big SELECT n, 'note' FROM generate_series(1, 1000000) n; ANALYZE big;`,
    '2_more.sql': 'CREATE TABLE small (id int);',
  });
  const first = ['migrate', 'client-a', '-m', folder, '--to', '1'];
  dataOf(await sandbox.manage([...first, '--json']));
}, 120_000);
afterAll(async () => await sandbox?.cleanup());

const migrate = async (...args: string[]) => await sandbox.manage(['migrate', 'client-a', '-m', folder, ...args]);

/** All of the living database that a migration could have changed; and that no transaction at all has written to the server. */
async function fingerprint(): Promise<unknown> {
  const { instances } = dataOf(await sandbox.manage(['drift', 'client-a', '--json']));
  const [files] = await query(
    address,
    "SELECT pg_relation_filenode('big') AS file, (SELECT count(*) FROM big WHERE note = 'note')::int AS notes",
  );
  const history = await query(address, 'SELECT version, applied_at FROM pgmanage.migrations ORDER BY 1');
  const [server] = await query(address, 'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS "nextTransaction"');
  return { instances, files, history, server };
}

async function rehearsed(...args: string[]): Promise<Record<string, Rehearsed>> {
  const { code, json } = await migrate('--rehearse', '--json', ...args);
  const { error } = json();
  expect({ code, error: error?.code }).toEqual({ code: 2, error: 'CONFIRMATION_REQUIRED' });
  const report = error?.data?.['rehearsal'] as { files: Rehearsed[] } | undefined;
  return Object.fromEntries((report?.files ?? []).map((file) => [`v${file.version}`, file]));
}

describe('migrate --rehearse', () => {
  it('needs a verified backup, and something to apply', async () => {
    const { code, json } = await migrate('--rehearse', '--json');
    expect({ code, error: json().error?.code }).toEqual({ code: 4, error: 'BACKUP_NOT_FOUND' });
    expect(json().error?.hint).toContain('--action backup --instance client-a');
    expect(dataOf(await migrate('--rehearse', '--to', '1', '--json'))).toMatchObject({ applied: [], rehearsal: null });
  });

  it('tells of a copy what each file does there, and leaves the living server as it is', async () => {
    dataOf(await sandbox.manage(['backup', 'client-a', '--json']));
    dataOf(await migrate('--json'));
    putFiles(folder, {
      '3_widen.sql': 'ALTER TABLE big ALTER id TYPE bigint;',
      '4_column.sql': 'ALTER TABLE big ADD added int; CREATE TABLE fresh (id int); INSERT INTO fresh VALUES (1), (2);',
      '5_rows.sql': "UPDATE big SET note = 'changed' WHERE id <= 100; DELETE FROM big WHERE id > 999990;",
      '6_index.sql': 'CREATE INDEX CONCURRENTLY ON big (note);',
      '7_empty.sql': 'TRUNCATE small;',
    });
    const before = await fingerprint();
    const files = await rehearsed();
    expect(await fingerprint()).toEqual(before);

    expect(Object.keys(files)).toEqual(['v2', 'v3', 'v4', 'v5', 'v6', 'v7']);
    // The backup is older than its application to the living database.
    expect(
      Object.values(files)
        .map(({ alreadyApplied }) => alreadyApplied)
        .slice(0, 2),
    ).toEqual([true, false]);
    const lock = (version: string) => files[version]?.locks.find(({ relation }) => relation === 'public.big');

    expect(files['v3']?.rewritten).toMatchObject([{ relation: 'public.big', rows: 1_000_000 }]);
    expect(files['v3']?.rewritten[0]?.sizeBytes).toBeGreaterThan(30_000_000);
    expect(lock('v3')).toMatchObject({ mode: 'AccessExclusiveLock', blocks: 'reads and writes' });
    const seconds = files['v3']?.seconds ?? 0;
    expect(seconds).toBeGreaterThan(0.05);
    // Held from the beginning of the one statement to its end.
    expect(lock('v3')?.heldSeconds).toBeGreaterThan(seconds * 0.5);
    expect(lock('v3')?.heldSeconds).toBeLessThan(seconds * 1.5 + 0.1);

    expect(files['v4']).toMatchObject({ rewritten: [], rows: { inserted: 2, updated: 0, deleted: 0 } });
    expect(lock('v4')).toMatchObject({ mode: 'AccessExclusiveLock' });
    expect(JSON.stringify(files['v4']?.locks)).not.toContain('fresh');

    expect(files['v5']).toMatchObject({ rewritten: [], rows: { inserted: 0, updated: 100, deleted: 10 } });
    expect(lock('v5')).toMatchObject({ mode: 'RowExclusiveLock', blocks: 'nothing' });

    expect(lock('v6')).toMatchObject({ mode: 'ShareUpdateExclusiveLock', blocks: 'schema changes' });
    expect(files['v7']?.rewritten).toMatchObject([{ relation: 'public.small' }]);
    await expectInvariants(sandbox);
  });

  it('says so in words, and refuses to go on where nobody can be asked', async () => {
    const { code, stdout, stderr } = await migrate('--rehearse', '--to', '3');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^rehearsed on a copy of client-a, from backup \S+ of /m);
    expect(stderr).toMatch(/^2_more \(done already\) +\d/m);
    expect(stderr).toMatch(/^3 writes public\.big anew \([\d.]+ MB\)$/m);
    expect(stderr).toMatch(/^3 blocks reads and writes of public\.big for \d+\.\d\d s \(AccessExclusiveLock\)$/m);
    expect(stderr).toContain('This applies 1 file to client-a itself: this needs --yes');
  });

  it('goes on with --yes', async () => {
    const data = dataOf(await migrate('--rehearse', '--to', '4', '--yes', '--json'));
    expect(data.applied.map(({ version }: { version: string }) => version)).toEqual(['3', '4']);
    expect(data.rehearsal.files).toHaveLength(3);
  });

  it('ends with the error of a file that fails on the copy; the living database has none of them', async () => {
    putFiles(folder, { '8_bad.sql': 'CREATE TABLE never (); SELECT 1 / 0;' });
    const before = await fingerprint();
    const { code, json } = await migrate('--rehearse', '--yes', '--json');
    expect({ code, error: json().error?.code }).toEqual({ code: 1, error: 'REHEARSAL_FAILED' });
    expect(json().error?.message).toMatch(/^on the copy from backup \S+: 8_bad\.sql:1:\d+: division by zero/);
    expect(json().error?.hint).toContain('client-a itself was not touched');
    expect(await fingerprint()).toEqual(before);
    await expectInvariants(sandbox);
  });
});

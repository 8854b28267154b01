import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, query } from '../helpers/database.ts';
import { putFiles } from '../helpers/files.ts';

let sandbox: Sandbox;
let folder: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'minimal');
  folder = putFiles(join(sandbox.folder, 'migrations'), {
    '1_orders.sql': 'CREATE TABLE orders (id int PRIMARY KEY, note text);',
    '2_rows.sql': "INSERT INTO orders SELECT n, 'note ' || n FROM generate_series(1, 1000) n;",
  });
});
afterAll(async () => await sandbox?.cleanup());

const migrate = async (...args: string[]) => await sandbox.manage(['migrate', 'shop', '-m', folder, ...args]);

/** All that a migration could have changed, and what is told of it. */
async function state(): Promise<unknown> {
  const { instances } = dataOf(await sandbox.manage(['drift', 'shop', '--json']));
  const status = dataOf(await sandbox.manage(['migrate-status', 'shop', '-m', folder, '--json']));
  const address = await addressOf(sandbox, 'shop');
  const history = await query(address, 'SELECT version, checksum, applied_at, run FROM pgmanage.migrations ORDER BY 1');
  const rows = await query(address, 'SELECT id, note FROM orders ORDER BY id');
  return { fingerprint: instances[0].fingerprint, runs: status.runs, history, rows };
}

describe('the way back from a run', () => {
  it('is said to be none where no backup is older', async () => {
    const { code, stdout } = await migrate('--to', '1');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout:
        'shop: 1 applied, now at 1\nno backup leads back to before this; take one for the next time: ./manage.ts backup shop\n',
    });
    const data = dataOf(await migrate('--json'));
    expect(data).toMatchObject({ restorePoint: expect.stringMatching(/^before-migrate-/), wayBack: null });
  });

  it('is the command that it prints: everything is as it was, and the next run applies the files again', async () => {
    const { id: first } = dataOf(await sandbox.manage(['backup', 'shop', '--no-verify', '--json']));
    const before = await state();
    putFiles(folder, {
      '3_more.sql': 'CREATE TABLE more (id int); CREATE INDEX ON orders (note);',
      '4_bad.sql': 'ALTER TABLE orders DROP COLUMN note; DELETE FROM orders WHERE id > 10;',
    });
    const { stdout } = await migrate();
    const printed = /^the whole instance as it was before, from backup (\S+):\n {2}\.\/(manage\.ts .+)$/m.exec(stdout);
    expect(printed?.[1]).toBe(first);
    // A backup that has the bad file in it is not the one to begin from.
    dataOf(await sandbox.manage(['backup', 'shop', '--no-verify', '--json']));

    const [, ...words] = printed?.[2]?.split(' ') ?? [];
    expect(words.slice(0, 3)).toEqual(['restore', 'shop', '--to-name']);
    expect(dataOf(await sandbox.manage([...words, '--yes', '--json']))).toMatchObject({
      name: 'shop',
      backupId: first,
    });
    expect(await state()).toEqual(before);

    const again = dataOf(await migrate('--json'));
    expect(again.applied.map(({ version }: { version: string }) => version)).toEqual(['3', '4']);
    expect(again.wayBack.backupId).toBe(first);
  });

  it('is said of a run that fails after some of its files', async () => {
    putFiles(folder, { '5_ok.sql': 'CREATE TABLE ok ();', '6_fails.sql': 'SELECT 1 / 0;' });
    const { error } = (await migrate('--json')).json();
    const { restorePoint, wayBack } = (error?.data ?? {}) as { restorePoint: string; wayBack: { command: string } };
    expect(wayBack.command).toBe(`./manage.ts restore shop --to-name ${restorePoint}`);
    expect(error?.hint).toMatch(
      /^nothing of 6_fails\.sql remains: .*; to undo what this run had done before, .*: \.\/manage/,
    );
    // The next one fails at its first file: there is nothing to go back from.
    expect((await migrate()).stderr).toMatch(/^hint .*then run migrate again$/m);
  });
});

describe('migrate-status', () => {
  it('tells the runs: what, who, when, how long, what came of it, and the restore point', async () => {
    const args = ['migrate-status', 'shop', '-m', folder];
    const { runs } = dataOf(await sandbox.manage([...args, '--json']));
    const points = readFileSync(join(sandbox.root, 'backups', 'shop', 'restore-points.jsonl'), 'utf8');
    expect(runs.map(({ run, state: how, files }: Record<string, unknown>) => ({ run, how, files }))).toEqual([
      { run: 5, how: 'failed', files: [] },
      { run: 4, how: 'failed', files: ['5_ok.sql'] },
      { run: 3, how: 'done', files: ['3_more.sql', '4_bad.sql'] },
      { run: 2, how: 'done', files: ['2_rows.sql'] },
      { run: 1, how: 'done', files: ['1_orders.sql'] },
    ]);
    for (const one of runs) {
      expect(one).toMatchObject({ what: 'migrate', toolVersion: expect.stringMatching(/^\d/), by: expect.any(String) });
      expect(one.startedAt).toMatch(/^\d{4}-.*Z$/);
      expect(one.seconds).toBeGreaterThan(0);
      expect(points).toContain(`"${one.restorePoint}"`);
    }
    expect(runs[1].error).toBe('6_fails.sql:1:1: division by zero (SQLSTATE 22012)');
    const { stdout } = await sandbox.manage(args);
    expect(stdout).toContain('\n\nthe last runs, the newest first:\n');
    expect(stdout).toMatch(
      /^\S+ \S+ UTC {2}migrate by \S+, failed after \d\.\d s\n {2}ran 5_ok\.sql\n {2}6_fails\.sql:1:1: .*\n {2}restore point before it: before-migrate-\S+$/m,
    );
  });

  it('tells the runs of seeds too, and one that something ended', async () => {
    const seeds = putFiles(join(sandbox.folder, 'seeds'), { 'a.sql': 'SELECT 1;', 'b.sql': 'SELECT 1/0;' });
    const { stderr } = await sandbox.manage(['seed', 'shop', '--seed-path', seeds]);
    expect(stderr).toContain('nothing of b.sql remains: correct it, then run seed again');
    const address = await addressOf(sandbox, 'shop');
    await query(address, 'UPDATE pgmanage_seeds.runs SET ended_at = NULL, files = NULL');
    const { runs } = dataOf(await sandbox.manage(['migrate-status', 'shop', '-m', folder, '--json']));
    expect(runs[0]).toMatchObject({ what: 'seed', state: 'unfinished', files: ['a.sql'], seconds: null });
  });
});

import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { type Address, addressOf, query, superQuery } from '../helpers/database.ts';

let sandbox: Sandbox;
let address: Address;
let archive: string;
/** The segment that is taken out of the archive. */
let lost: string;
/** A position behind it. */
let behind: string;

/** Commits a row and has its segment archived; returns the name of that. */
async function commitAndArchive(n: number): Promise<string> {
  await query(address, `insert into numbered values (${n})`);
  const [row] = await superQuery<{ name: string }>(sandbox, 'shop', 'select pg_walfile_name(pg_switch_wal()) as name');
  const name = row?.name ?? '';
  const deadline = Date.now() + 30_000;
  while (!readdirSync(archive).some((file) => file.startsWith(name))) {
    if (Date.now() > deadline) throw new Error(`${name} was not archived`);
    await superQuery(sandbox, 'shop', 'select pg_sleep(0.05)');
  }
  return name;
}

beforeAll(async () => {
  sandbox = await makeSandbox();
  archive = join(sandbox.root, 'backups', 'shop', 'wal');
  await sandbox.create('shop', '--template', 'testing');
  address = await addressOf(sandbox, 'shop');
  await query(address, 'create table numbered (n int primary key)');
  expect((await sandbox.manage(['backup', 'shop', '--backup-name', 'first'])).code).toBe(0);
  await commitAndArchive(1);
  lost = await commitAndArchive(2);
  await commitAndArchive(3);
  [{ lsn: behind }] = (await query<{ lsn: string }>(address, 'select pg_current_wal_lsn()::text as lsn')) as [
    { lsn: string },
  ];
  const file = readdirSync(archive).find((name) => name.startsWith(lost)) ?? '';
  renameSync(join(archive, file), join(sandbox.root, file));
});

afterAll(async () => {
  await sandbox.cleanup();
});

const beside = (...args: string[]): string[] => [
  'restore',
  'shop',
  '--as',
  'copy',
  '--port-range',
  sandbox.portRange,
  '--json',
  ...args,
];

describe('a hole in the archive', () => {
  it.each([[[]], [['--to', 'latest']], [['--to-lsn']]])('refuses a restore across it: %j', async (target) => {
    const words = target[0] === '--to-lsn' ? ['--to-lsn', behind] : target;
    const refused = await sandbox.manage(beside(...words));
    expect(refused.code).toBe(1);
    expect(refused.json()).toMatchObject({
      error: {
        code: 'RESTORE_TARGET',
        message: expect.stringContaining(lost),
        hint: expect.stringContaining('before-gap'),
      },
    });
    expect((await sandbox.manage(['status', 'copy'])).code).toBe(4);
  });

  it('fails a restore to a moment behind it, naming it, and leaves nothing', async () => {
    const missed = await sandbox.manage(beside('--to-time', new Date().toISOString()));
    expect(missed.json()).toMatchObject({
      error: { code: 'RESTORE_TARGET', message: expect.stringContaining(`${lost} is missing`) },
    });
    expect((await sandbox.manage(['status', 'copy'])).code).toBe(4);
  });

  it('is shown by the plan, and a restore goes up to it when asked', async () => {
    const plan = dataOf(await sandbox.manage(beside('--to', 'before-gap', '--dry-run')));
    expect(plan).toMatchObject({ gaps: [lost], backupId: 'first' });
    expect(plan.expectedSeconds).toBeGreaterThan(0);
    dataOf(await sandbox.manage(beside('--to', 'before-gap')));
    const rows = await query<{ n: number }>(await addressOf(sandbox, 'copy'), 'select n from numbered order by n');
    expect(rows.map(({ n }) => n)).toEqual([1]);
  });

  it('is told by status, check and diagnose, with the moment it begins at', async () => {
    const { protection } = dataOf(await sandbox.manage(['status', 'shop', '--json']));
    expect(protection.pointInTime).toMatchObject({ state: 'broken', gaps: [lost] });
    expect(Date.parse(protection.pointInTime.brokenSince)).toBeLessThanOrEqual(Date.now());
    expect((await sandbox.manage(['status', 'shop'])).stdout).toMatch(
      /point in time +broken since .*until the next backup/,
    );
    expect((await sandbox.manage(['list-backups', 'shop'])).stdout).toContain(`missing from the archive: ${lost}`);
    const checked = await sandbox.manage(['check', 'shop', '--json']);
    expect(checked.code).toBe(7);
    expect(checked.json()).toMatchObject({ error: { code: 'NOT_PROTECTED', message: expect.stringContaining(lost) } });
    const diagnosed = (await sandbox.manage(['diagnose', '--instance', 'shop', '--json'])).json();
    expect(JSON.stringify(diagnosed.data)).toContain('WAL_GAP');
  });

  it('makes prove fail, which says where it ended, and does not make a bad backup of a good one', async () => {
    const proven = await sandbox.manage(['prove', 'shop', '--json']);
    expect(proven.code).toBe(7);
    expect(proven.json()).toMatchObject({
      error: { code: 'BACKUP_NOT_PROVEN', message: expect.stringContaining(lost) },
    });
    const { backups } = dataOf(await sandbox.manage(['list-backups', 'shop', '--json']));
    expect(backups).toMatchObject([{ id: 'first', state: 'verified' }]);
    const { protection } = dataOf(await sandbox.manage(['status', 'shop', '--json']));
    expect(protection).toMatchObject({ alarm: null, proof: { ok: false, backupId: 'first' } });
    expect(protection.unproven).toContain(lost);
  });

  it('is past with the next verified backup', async () => {
    expect((await sandbox.manage(['backup', 'shop', '--backup-name', 'second'])).code).toBe(0);
    expect((await sandbox.manage(['check', 'shop'])).code).toBe(0);
    await commitAndArchive(4);
    const proven = dataOf(await sandbox.manage(['prove', 'shop', '--json']));
    expect(proven).toMatchObject({ ok: true, backupId: 'second' });
    expect(proven.replayedBytes).toBeGreaterThan(0);
    const { protection } = dataOf(await sandbox.manage(['status', 'shop', '--json']));
    expect(protection).toMatchObject({ backupDue: null, pointInTime: { state: 'whole', brokenSince: null } });
    expect((await sandbox.manage(['check', 'shop', '--max-age', '0.001m'])).code).toBe(7);
  });
});

it('a restore in place makes a backup due', async () => {
  dataOf(await sandbox.manage(['restore', 'shop', '--yes', '--json']));
  const { protection } = dataOf(await sandbox.manage(['status', 'shop', '--json']));
  expect(protection.backupDue).toContain('replaced by a restore');
  const { findings } = (await sandbox.manage(['diagnose', '--instance', 'shop', '--json'])).json().data as {
    findings: { subject: string; code: string }[];
  };
  // The settings of the recovery are gone, which is no fault of the configuration.
  expect(findings.filter(({ subject }) => subject === 'shop').map(({ code }) => code)).toEqual(['BACKUP_DUE']);
  const rows = await query<{ n: number }>(await addressOf(sandbox, 'shop'), 'select n from numbered order by n');
  expect(rows.map(({ n }) => n)).toEqual([1, 2, 3, 4]);
});

it('a backup that was not proven yet is, up to its own end, when the whole way is not', async () => {
  expect((await sandbox.manage(['backup', 'shop', '--backup-name', 'third', '--no-verify'])).code).toBe(0);
  const hole = await commitAndArchive(5);
  await commitAndArchive(6);
  const file = readdirSync(archive).find((name) => name.startsWith(hole)) ?? '';
  renameSync(join(archive, file), join(sandbox.root, file));
  const full = await sandbox.manage(['verify-backup', 'shop', '--backup-name', 'third', '--level', 'full', '--json']);
  expect([full.code, full.json().error?.code]).toEqual([7, 'BACKUP_NOT_PROVEN']);
  expect(full.json().error?.message).toContain('the archive behind backup third is not proven');
  expect(full.json().error?.hint).toContain('this one is verified, and leads to its own end');
  const { backups } = dataOf(await sandbox.manage(['list-backups', 'shop', '--json'])) as { backups: unknown[] };
  expect(backups.at(-1)).toMatchObject({ id: 'third', state: 'verified', verification: { level: 'standard' } });
});

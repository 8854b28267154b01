import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Address, addressOf, Load, pgbenchInit, pgbenchSums, query } from '../helpers/database.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox, testedMajor } from '../helpers/cli.ts';

const migrations = fileURLToPath(new URL('../fixtures/migrations', import.meta.url));

let sandbox: Sandbox;
let address: Address;
let beforeTheMistake: string;
let goodNotes: number;

async function note(kind: 'good' | 'mistake', count: number): Promise<void> {
  await query(
    address,
    `insert into notes (body, kind) select 'note ' || n, '${kind}' from generate_series(1, ${count}) n`,
  );
}

async function notes(where: Address): Promise<Record<string, number>> {
  const rows = await query<{ kind: string; count: number }>(
    where,
    'select kind::text, count(*)::int from notes group by kind',
  );
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]));
}

async function expectBeforeTheMistake(where: Address): Promise<void> {
  expect(await notes(where)).toEqual({ good: goodNotes });
  const { accounts, tellers, branches, history } = await pgbenchSums(where);
  expect([tellers, branches, history]).toEqual([accounts, accounts, accounts]);
  expect(accounts).not.toBe('0');
}

beforeAll(async () => {
  sandbox = await makeSandbox();
});

afterAll(async () => {
  await sandbox.cleanup();
});

/** One road, walked step by step: each test goes on where the one before it ended. */
describe('the main road', () => {
  it('creates a running instance that clients reach', async () => {
    const created = await sandbox.create('client-a', '--json');
    expect(dataOf(created)).toMatchObject({ name: 'client-a', state: 'running', version: testedMajor() });
    address = dataOf(await sandbox.manage(['connect', 'client-a', '--json'])) as Address;
    expect(await addressOf(sandbox, 'client-a')).toEqual(address);
    expect(await query(address, 'select 1 as one')).toEqual([{ one: 1 }]);
    const [settings] = await query(
      address,
      `select current_setting('data_checksums') as checksums, current_setting('password_encryption') as passwords,
              current_setting('server_encoding') as encoding, current_setting('archive_mode') as archive`,
    );
    expect(settings).toEqual({ checksums: 'on', passwords: 'scram-sha-256', encoding: 'UTF8', archive: 'on' });
  });

  it('migrates three files, and again changes nothing', async () => {
    const migrate = ['migrate', 'client-a', '--migrations-dir', migrations, '--json'];
    expect(dataOf(await sandbox.manage(migrate))).toMatchObject({
      applied: [{ version: '001' }, { version: '002' }, { version: '003' }],
      current: '003',
    });
    expect(dataOf(await sandbox.manage(migrate))).toMatchObject({ applied: [], current: '003' });
    const status = await sandbox.manage(['migrate-status', 'client-a', '--migrations-dir', migrations, '--json']);
    const listed = (status.json() as unknown as { data: { migrations: { state: string }[] } }).data.migrations;
    expect(listed.map(({ state }) => state)).toEqual(['applied', 'applied', 'applied']);
  });

  it('backs up under load, and proves the backup', async () => {
    await pgbenchInit(address, 3);
    await note('good', 100);
    const load = new Load(address);
    const backup = await sandbox.manage(['backup', 'client-a', '--json']);
    expect(dataOf(backup)).toMatchObject({ state: 'verified' });
    await note('good', 50);
    goodNotes = 150;
    await load.stop();
    beforeTheMistake =
      (await query<{ now: Date }>(address, 'select clock_timestamp() as now'))[0]?.now.toISOString() ?? '';
    await note('mistake', 7);
    expect(await notes(address)).toEqual({ good: 150, mistake: 7 });
  });

  it('restores to before the mistake, beside the living instance', async () => {
    const args = [
      'restore',
      'client-a',
      '--as',
      'client-a-copy',
      '--port-range',
      sandbox.portRange,
      '--to-time',
      beforeTheMistake,
      '--json',
    ];
    const restored = await sandbox.manage(args);
    expect(dataOf(restored)).toMatchObject({ name: 'client-a-copy', state: 'running' });
    const copy = await addressOf(sandbox, 'client-a-copy');
    expect(copy.port).not.toBe(address.port);
    await expectBeforeTheMistake(copy);
    expect(await notes(address)).toEqual({ good: 150, mistake: 7 });
  });

  it('restores in place to before the mistake, and keeps what it replaced', async () => {
    const restored = await sandbox.manage(['restore', 'client-a', '--to-time', beforeTheMistake, '--yes', '--json']);
    expect(dataOf(restored)).toMatchObject({ name: 'client-a', state: 'running', port: address.port });
    await expectBeforeTheMistake(address);
    const { quarantine } = dataOf(restored);
    expect(readdirSync(quarantine)).toContain('PG_VERSION');
  });

  it('goes on archiving: a new backup is proven, and the newest transaction comes back', async () => {
    expect(dataOf(await sandbox.manage(['backup', 'client-a', '--json']))).toMatchObject({ state: 'verified' });
    await note('good', 10);
    goodNotes += 10;
    const restored = await sandbox.manage(['restore', 'client-a', '--yes', '--json']);
    dataOf(restored);
    await expectBeforeTheMistake(address);
  });

  it('comes back from the repository alone when its folder is gone', async () => {
    expect(dataOf(await sandbox.manage(['backup', 'client-a', '--json']))).toMatchObject({ state: 'verified' });
    await note('good', 5);
    goodNotes += 5;
    expect((await sandbox.manage(['stop', 'client-a'])).code).toBe(0);
    const moment = new Date().toISOString();
    rmSync(join(sandbox.root, 'instances', 'client-a'), { recursive: true });
    const restored = await sandbox.manage(['restore', 'client-a', '--to-time', moment, '--yes', '--json']);
    expect(dataOf(restored)).toMatchObject({ name: 'client-a', state: 'running', port: address.port });
    await expectBeforeTheMistake(address);
  });

  it('destroys into quarantine, and keeps the backups', async () => {
    const destroyed = await sandbox.manage(['destroy', 'client-a', '--yes', '--json']);
    const { quarantine } = dataOf(destroyed);
    expect(readdirSync(join(quarantine, 'data'))).toContain('PG_VERSION');
    const listed = await sandbox.manage(['list-backups', 'client-a', '--json']);
    expect(dataOf(listed).backups).toHaveLength(3);
    expect((await sandbox.manage(['status', 'client-a'])).code).toBe(4);
  });

  it('takes the name again, and keeps the old archive apart', async () => {
    await sandbox.create('client-a');
    expect(dataOf(await sandbox.manage(['backup', 'client-a', '--json']))).toMatchObject({ state: 'verified' });
    const old = await sandbox.manage(['list-backups', 'client-a', '--json']);
    const ids = (old.json() as unknown as { data: { backups: { id: string }[] } }).data.backups.map(({ id }) => id);
    const beside = await sandbox.manage([
      'restore',
      'client-a',
      '--as',
      'old-a',
      '--port-range',
      sandbox.portRange,
      '--backup-name',
      ids[2] ?? '',
      '--json',
    ]);
    dataOf(beside);
    await expectBeforeTheMistake(await addressOf(sandbox, 'old-a'));
  });
});

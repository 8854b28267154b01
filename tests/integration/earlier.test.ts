import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { superQuery } from '../helpers/database.ts';

/** What instances leave in the repository that had a name before. */

let sandbox: Sandbox;
let repository: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  repository = join(sandbox.root, 'backups', 'shop');
  // Two that are gone, the first with a backup, and one that lives.
  await makeShop();
  await superQuery(sandbox, 'shop', 'create table kept as select 42 as answer');
  await superQuery(sandbox, 'shop', 'select pg_switch_wal()');
  dataOf(await sandbox.manage(['backup', 'shop', '--backup-name', 'old', '--json']));
  await manage('destroy', 'shop', '--yes');
  await makeShop();
  await superQuery(sandbox, 'shop', 'select pg_switch_wal()');
  await manage('destroy', 'shop', '--yes');
  await makeShop();
});

afterAll(async () => {
  await sandbox.cleanup();
});

async function makeShop(): Promise<void> {
  await sandbox.create('shop', '--template', 'testing');
}

async function manage(...args: string[]): Promise<void> {
  expect((await sandbox.manage(args)).code).toBe(0);
}

interface Verdict {
  archive: string;
  kept: boolean;
  reasons: string[];
  files: number;
}

async function cleanup(...args: string[]): Promise<Verdict[]> {
  const { earlier } = dataOf(await sandbox.manage(['cleanup-backups', 'shop', '--json', '--yes', ...args]));
  return ((earlier ?? []) as Verdict[]).toSorted((a, b) => Number(b.kept) - Number(a.kept));
}

const aside = (): string[] => readdirSync(repository).filter((name) => name.startsWith('wal-'));

it('stays without --earlier, and all of it while an alarm stands', async () => {
  expect(await cleanup('--keep', '1')).toEqual([]);
  const alarm = { at: '2026-11-21T10:00:00Z', where: 'backup b2', what: 'base.tar is damaged' };
  const text = JSON.stringify({ schema: 1, raisedAt: alarm.at, damage: [alarm] });
  writeFileSync(join(repository, 'alarm.json'), text, { mode: 0o644 });
  const refused = await sandbox.manage(['cleanup-backups', 'shop', '--earlier', '--yes', '--json']);
  expect([refused.code, refused.json().error?.code]).toEqual([7, 'DAMAGE_ALARM']);
  expect((await cleanup('--earlier', '--dry-run')).map(({ kept }) => kept)).toEqual([true, true]);
  await manage('clear-alarm', 'shop');
  expect(aside()).toHaveLength(2);
});

it('goes where no backup needs it; a backup of it is still restored', async () => {
  const planned = await cleanup('--earlier', '--dry-run');
  expect(planned).toMatchObject([
    { kept: true, reasons: ['needed by old'] },
    { kept: false, reasons: ['its instance is gone, and no backup needs it'] },
  ]);
  expect(planned[0]?.files).toBeGreaterThan(0);
  expect(aside()).toHaveLength(2);
  expect(await cleanup('--earlier')).toEqual(planned);
  expect(aside()).toEqual([planned[0]?.archive]);
  await manage('verify-backup', 'shop', '--backup-name', 'old', '--level', 'full');
  await manage('restore', 'shop', '--backup-name', 'old', '--as', 'copy', '--port-range', sandbox.portRange);
  expect(await superQuery(sandbox, 'copy', 'select answer from kept')).toEqual([{ answer: 42 }]);
  await manage('destroy', 'copy', '--yes');
});

it('goes when its last backup is deleted', async () => {
  await manage('delete-backup', 'shop', '--backup-name', 'old', '--force', '--yes');
  expect(await cleanup('--earlier')).toMatchObject([{ kept: false }]);
  expect(aside()).toEqual([]);
});

it('of an instance that was destroyed goes as well; of one whose folder was lost it stays', async () => {
  const archive = join(repository, 'wal');
  expect(await cleanup('--earlier')).toEqual([]);
  await manage('destroy', 'shop', '--yes');
  dataOf(await sandbox.manage(['cleanup-backups', 'shop', '--yes', '--json']));
  const [ended, hidden] = [join(repository, 'ended.json'), join(repository, 'hidden')];
  renameSync(ended, hidden);
  expect(await cleanup('--earlier')).toEqual([]);
  renameSync(hidden, ended);
  expect(existsSync(archive)).toBe(true);
  expect(await cleanup('--earlier')).toMatchObject([{ archive: 'wal', kept: false }]);
  expect(existsSync(archive)).toBe(false);
});

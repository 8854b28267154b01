import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { superQuery } from '../helpers/database.ts';
import { codes, diagnoseIn } from '../helpers/diagnose.ts';
import { inNamespaces } from '../helpers/namespaces.ts';

/** Two machines that have one repository: the second sees another /etc/machine-id, and has a root and a host folder of its own. */

let sandbox: Sandbox;
let archive: string;
let other: { root: string; inside: string[]; env: Record<string, string> };

beforeAll(async () => {
  sandbox = await makeSandbox();
  const repository = join(sandbox.root, 'backups');
  archive = join(repository, 'shop', 'wal');
  await sandbox.create('shop', '--template', 'testing');
  await superQuery(sandbox, 'shop', 'create table kept as select 42 as answer');
  dataOf(await sandbox.manage(['backup', 'shop', '--backup-name', 'b1', '--json']));
  const [root, id] = [join(sandbox.folder, 'other'), join(sandbox.folder, 'machine-id')];
  mkdirSync(root, { mode: 0o755 });
  writeFileSync(id, `${'7'.repeat(32)}\n`);
  const host = join(sandbox.folder, 'other-host');
  other = {
    root,
    inside: inNamespaces(['--mount'], `mount --bind ${id} /etc/machine-id`),
    env: { PG_MANAGE_ROOT: root, PG_MANAGE_HOST: host, PG_MANAGE_BACKUPS: repository },
  };
});

afterAll(async () => {
  await there('destroy', 'all', '--yes', '--quiet');
  await sandbox.cleanup();
});

const there = async (...args: string[]) => await sandbox.manage(args, { env: other.env, inside: other.inside });
const range = (): string[] => ['--port-range', sandbox.portRange];

async function expectRefused(...args: string[]): Promise<void> {
  const { code, json } = await there(...args, '--yes', '--json');
  expect([args[0], code, json().error?.code]).toEqual([args[0], 1, 'REPOSITORY_ELSEWHERE']);
  expect(json().error?.hint).toContain('--take-over');
}

describe('while the machine lives that an instance is on, another one', () => {
  it('makes none of its name, and restores, removes and puts aside nothing of it', async () => {
    const before = [readdirSync(join(archive, '..')).sort(), readdirSync(archive).sort()];
    await expectRefused('create', 'shop', '--template', 'testing', ...range());
    await expectRefused('restore', 'shop', '--dry-run');
    await expectRefused('restore', 'shop', '--port', 'auto', ...range());
    await expectRefused('cleanup-backups', 'shop', '--keep', '1');
    await expectRefused('delete-backup', 'shop', '--backup-name', 'b1', '--force');
    expect([readdirSync(join(archive, '..')).sort(), readdirSync(archive).sort()]).toEqual(before);
    expect(existsSync(join(other.root, 'instances', 'shop'))).toBe(false);
    dataOf(await sandbox.manage(['backup', 'shop', '--json']));
  });

  it('reads, proves and restores it beside', async () => {
    expect((await there('list-backups', 'shop')).code).toBe(0);
    expect((await there('verify-backup', 'shop', '--level', 'quick')).code).toBe(0);
    dataOf(await there('restore', 'shop', '--as', 'copy', ...range(), '--json'));
    const kept = await superQuery({ ...sandbox, root: other.root }, 'copy', 'select answer from kept');
    expect(kept).toEqual([{ answer: 42 }]);
    expect((await there('destroy', 'copy', '--yes')).code).toBe(0);
  });
});

describe('when that machine is lost', () => {
  it('another one takes over, and backs up from then on', async () => {
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    dataOf(await there('restore', 'shop', '--take-over', '--port', 'auto', ...range(), '--yes', '--json'));
    expect(dataOf(await there('backup', 'shop', '--backup-name', 'b3', '--json'))).toMatchObject({ state: 'verified' });
  });

  it('and comes back, it says so, and spoils nothing', async () => {
    const started = await sandbox.manage(['start', 'shop', '--port', 'auto', ...range(), '--json']);
    expect([started.code, started.json().warnings]).toEqual([0, [expect.stringContaining('backed up by the machine')]]);
    const { findings } = await diagnoseIn(sandbox, '--instance', 'shop');
    expect(codes(findings)).toContain('shop ARCHIVE_ELSEWHERE');
    for (const args of [
      ['backup', 'shop'],
      ['cleanup-backups', 'shop', '--yes'],
    ]) {
      expect((await sandbox.manage([...args, '--json'])).json().error?.code).toBe('REPOSITORY_ELSEWHERE');
    }
    expect((await sandbox.manage(['destroy', 'shop', '--yes'])).code).toBe(0);
    expect((await there('backup', 'shop', '--no-verify')).code).toBe(0);
    const again = await sandbox.manage(['create', 'shop', '--template', 'testing', ...range(), '--json']);
    expect(again.json().error?.code).toBe('REPOSITORY_ELSEWHERE');
  });

  it('has the name again when the other one has given it up', async () => {
    expect((await there('destroy', 'shop', '--yes')).code).toBe(0);
    await sandbox.create('shop', '--template', 'testing');
    dataOf(await sandbox.manage(['backup', 'shop', '--no-verify', '--json']));
  });
});

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { beginProgram, makeSandbox, manageProgram, type Sandbox } from '../helpers/cli.ts';
import { addressOf, query, superQuery } from '../helpers/database.ts';

let sandbox: Sandbox;
let repository: string;

/** Takes backups with WAL between them. */
beforeAll(async () => {
  sandbox = await makeSandbox();
  repository = join(sandbox.root, 'backups', 'shop');
  await sandbox.create('shop', '--template', 'testing');
  await query(await addressOf(sandbox, 'shop'), 'create table kept (n int)');
  for (const id of ['b1', 'b2', 'b3', 'b4']) {
    await query(await addressOf(sandbox, 'shop'), 'insert into kept values (1)');
    await superQuery(sandbox, 'shop', 'select pg_switch_wal()');
    expect((await sandbox.manage(['backup', 'shop', '--backup-name', id, '--no-verify'])).code).toBe(0);
  }
});

afterAll(async () => {
  await sandbox.cleanup();
});

const ids = (): string[] => readdirSync(join(repository, 'base')).sort();
const cleanup = async (...args: string[]) => await sandbox.manage(['cleanup-backups', 'shop', '--json', ...args]);

describe('cleanup-backups', () => {
  it('removes nothing while nothing is verified', async () => {
    expect(dataOf(await cleanup('--keep', '1', '--yes'))).toMatchObject({ removed: [], wal: { files: 0 } });
    expect(ids()).toEqual(['b1', 'b2', 'b3', 'b4']);
  });

  it('needs a confirmation, and shows with --dry-run what goes and why', async () => {
    expect((await sandbox.manage(['verify-backup', 'shop', '--backup-name', 'b3'])).code).toBe(0);
    expect((await cleanup('--keep', '1')).json()).toMatchObject({ error: { code: 'CONFIRMATION_REQUIRED' } });
    const plan = dataOf(await cleanup('--keep', '1', '--dry-run'));
    expect(plan).toMatchObject({
      removed: [
        { id: 'b1', reasons: ['not among the 1 newest'] },
        { id: 'b2', reasons: ['not among the 1 newest'] },
      ],
      kept: [
        { id: 'b3', reasons: ['the newest verified one'] },
        { id: 'b4', reasons: ['newer than the newest verified one', 'number 1 of the 1 newest'] },
      ],
    });
    expect(plan.wal.files).toBeGreaterThan(0);
    expect(ids()).toEqual(['b1', 'b2', 'b3', 'b4']);
  });

  it('stands still while damage is not seen to, and says what was damaged', async () => {
    const alarm = { at: '2026-11-21T10:00:00Z', where: 'backup b2', what: 'base.tar is damaged' };
    const file = join(repository, 'alarm.json');
    writeFileSync(file, JSON.stringify({ schema: 1, raisedAt: alarm.at, damage: [alarm] }), { mode: 0o644 });
    const refused = await cleanup('--keep', '1', '--yes');
    expect(refused.code).toBe(7);
    expect(refused.json()).toMatchObject({
      error: { code: 'DAMAGE_ALARM', message: expect.stringContaining('base.tar is damaged') },
    });
    expect(ids()).toEqual(['b1', 'b2', 'b3', 'b4']);
    // b3 was taken and verified after it.
    expect((await sandbox.manage(['clear-alarm', 'shop'])).code).toBe(0);
    expect(readdirSync(repository)).not.toContain('alarm.json');
  });

  it('stands still while a server recovers from the archive on its own', async () => {
    // As a restore leaves it that has given up waiting.
    const data = join(sandbox.root, 'instances', 'shop', 'data');
    const [signal, settings] = [join(data, 'recovery.signal'), join(data, 'pg-manage.recovery.conf')];
    writeFileSync(signal, '');
    writeFileSync(settings, `restore_command = 'x ${join(repository, 'wal')}'\n`, { mode: 0o644 });
    const refused = await cleanup('--keep', '1', '--yes');
    expect([refused.code, refused.json().error?.code]).toEqual([75, 'LOCKED']);
    expect(dataOf(await cleanup('--keep', '1', '--dry-run'))).toMatchObject({ removed: [], wal: { files: 0 } });
    rmSync(signal);
    rmSync(settings);
    expect(ids()).toEqual(['b1', 'b2', 'b3', 'b4']);
  });

  it('removes those backups, their WAL and unfinished work; what is left is restored', async () => {
    mkdirSync(join(repository, 'base', '.b0.removing'));
    const before = readdirSync(join(repository, 'wal'));
    const done = dataOf(await cleanup('--keep', '1', '--yes'));
    expect(done.leftovers).toEqual([join(repository, 'base', '.b0.removing')]);
    expect(ids()).toEqual(['b3', 'b4']);
    const after = readdirSync(join(repository, 'wal'));
    expect(before.length - after.length).toBe(done.wal.files);
    const start = (
      JSON.parse(readFileSync(join(repository, 'base', 'b3', 'backup.json'), 'utf8')) as { startLsn: string }
    ).startLsn;
    const first = `00000001${'0'.repeat(8)}${start.split('/')[1]?.slice(0, -6).padStart(8, '0')}`;
    expect(after.filter((name) => /^[0-9A-F]{24}\.zst$/.test(name)).sort()[0]).toBe(`${first}.zst`);
    expect((await sandbox.manage(['verify-backup', 'shop', '--backup-name', 'b3'])).code).toBe(0);
    expect(dataOf(await cleanup('--keep', '1', '--yes'))).toMatchObject({ removed: [], wal: { files: 0 } });
  });
});

describe('delete-backup', () => {
  it('refuses the newest verified one, unless forced', async () => {
    const named = ['delete-backup', 'shop', '--backup-name', 'b3', '--yes', '--json'];
    expect((await sandbox.manage(named)).json()).toMatchObject({ error: { code: 'BACKUP_NEEDED' } });
    // Killed when it had left the catalogue. Who then names another, which is not there, is not told that it is removed.
    const gone = ['delete-backup', 'shop', '--backup-name', 'b4', '--yes'];
    expect((await sandbox.manage(gone, { env: { PG_MANAGE_TEST_KILL_AT: '3' } })).code).toBe(137);
    expect((await sandbox.manage(['delete-backup', 'shop', '-b', 'mistyped', '--yes', '--dry-run'])).code).toBe(4);
    expect((await sandbox.manage(['delete-backup', 'shop', '-b', 'mistyped', '--yes'])).code).toBe(4);
    expect((await sandbox.manage([...named, '--force'])).code).toBe(0);
    expect(ids()).toEqual([]);
    expect((await sandbox.manage(named)).code).toBe(4);
  });

  it('asks nobody for a word on what it refuses', async () => {
    const noTerminal = (await sandbox.manage(['delete-backup', 'shop', '-b', 'latest', '--json'])).json();
    expect(noTerminal.error?.code).toBe('USAGE');
    for (const [id, code] of [
      ['latest', 2],
      ['nothing', 4],
    ] as const) {
      const command = `exec ${manageProgram} delete-backup shop -b ${id}`;
      const asked = await beginProgram('script', ['-qec', command, '/dev/null'], {
        env: { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host, SHELL: '/bin/sh' },
      }).finished;
      expect([id, asked.code, asked.stdout.includes('Type shop')]).toEqual([id, code, false]);
    }
  });

  it('refuses the only one, proven or not', async () => {
    expect((await sandbox.manage(['backup', 'shop', '--no-verify', '--backup-name', 'only'])).code).toBe(0);
    const refused = (await sandbox.manage(['delete-backup', 'shop', '-b', 'only', '--yes', '--json'])).json();
    expect(refused.error).toMatchObject({
      code: 'BACKUP_NEEDED',
      message: expect.stringContaining('a restore would begin from'),
    });
    expect(ids()).toEqual(['only']);
  });
});

describe('an instance that is not there', () => {
  const lostRoot = (): Record<string, string> => ({
    PG_MANAGE_ROOT: join(sandbox.folder, 'new-machine'),
    PG_MANAGE_HOST: join(sandbox.folder, 'new-host'),
    PG_MANAGE_BACKUPS: join(sandbox.root, 'backups'),
  });

  it('because its machine was lost is listed and missed, with what brings it back', async () => {
    const env = lostRoot();
    for (const selector of ['all', 'shop', 'sh*']) {
      const { code, json } = await sandbox.manage(['check', selector, '--json'], { env });
      expect([selector, code]).not.toEqual([selector, 0]);
      const [first = json()] = json().results ?? [];
      expect(first.error).toMatchObject({
        code: 'NOT_PROTECTED',
        hint: expect.stringContaining('--action restore --instance shop'),
      });
    }
    const { results } = (await sandbox.manage(['list-backups', 'all', '--json'], { env })).json();
    expect(results).toMatchObject([{ instance: 'shop', ok: true, data: { backups: [{ id: 'only' }] } }]);
    expect((await sandbox.manage(['status', 'all', '--json'], { env })).json().results).toEqual([]);
  });

  it('because it was destroyed is missed by nobody, and its backups are listed', async () => {
    expect((await sandbox.manage(['destroy', 'shop', '--yes'])).code).toBe(0);
    expect((await sandbox.manage(['check', 'all'])).code).toBe(0);
    const { results } = (await sandbox.manage(['list-backups', 'all', '--json'])).json();
    expect(results).toMatchObject([{ instance: 'shop', ok: true }]);
  });
});

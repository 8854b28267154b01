import { execFileSync } from 'node:child_process';
import {
  chownSync,
  lchownSync,
  linkSync,
  lstatSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Ailing } from '../helpers/ailing.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { makeSmallDisk } from '../helpers/small-disk.ts';

const asRoot = process.getuid?.() === 0;
/** A number that no account of this machine has, as a container's user has none. */
const stranger = 47_110;

let sandbox: Sandbox;
afterEach(async () => {
  await sandbox.cleanup();
});

function give(folder: string, uid: number): void {
  lchownSync(folder, uid, uid);
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    lchownSync(join(folder, name), uid, uid);
}

/** Puts a folder on the sandbox's own disk, with a link in its place. */
function moveOut(folder: string): void {
  const outside = join(sandbox.folder, basename(folder));
  execFileSync('cp', ['-a', folder, outside]);
  rmSync(folder, { recursive: true });
  symlinkSync(outside, folder);
}

/** The modes of all files that a server keeps through its starts. */
function modesOf(ailing: Ailing): string[] {
  const lasting = ailing.tree().filter((line) => !/^pg_wal\/|pg_internal|^pg_stat/.test(line));
  return lasting.map((line) => line.split(' ').slice(0, 2).join(' '));
}

// Only root can give a file to another user; a plain user has no such data to begin with.
const describeAsRoot = asRoot ? describe : (): void => undefined;

describeAsRoot('data that belongs to another user, as after a container', () => {
  it('is told by status, list and start, and given back by --fix-permissions, which follows no link', async () => {
    const ailing = await Ailing.make();
    ({ sandbox } = ailing);
    const outside = join(sandbox.folder, 'outside');
    writeFileSync(outside, 'somebody else has this', { mode: 0o644 });
    chownSync(outside, 0, 0);
    symlinkSync(outside, ailing.file('link'));
    const modes = modesOf(ailing);
    give(ailing.data, stranger);

    const problem = `the data directory ${ailing.data} belongs to uid ${stranger} (mode 0700), not to postgres`;
    const status = await sandbox.manage(['status', 'shop', '--json']);
    expect([status.code, status.json().data]).toMatchObject([3, { state: 'broken', message: problem }]);
    const list = await sandbox.manage(['list', '--json']);
    expect(dataOf(list)).toMatchObject({ instances: [{ name: 'shop', state: 'broken', message: problem }] });
    const before = ailing.tree();
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'DATA_PERMISSIONS', exitCode: 1, message: problem });
    expect(error.hint).toContain('./manage.ts start shop --fix-permissions');
    expect((await sandbox.manage(['stop', 'shop', '--json'])).json().error?.code).toBe('DATA_PERMISSIONS');
    expect((await sandbox.manage(['start', 'shop', '--fix-permissions', '--dry-run'])).stdout).toContain(problem);
    expect(ailing.tree()).toEqual(before);

    // The account itself may not: it is told what to type, and that works.
    const account = serviceAccount();
    const refused = await ailing.failure(['--fix-permissions'], account === undefined ? {} : { account });
    const [, sudo = ''] = /sudo (chown -hR .*)$/.exec(refused.hint) ?? [];
    expect([refused.code, sudo]).toEqual([
      'DATA_PERMISSIONS',
      `chown -hR postgres: ${ailing.data} && sudo chmod 0700 ${ailing.data} && ./manage.ts start shop`,
    ]);
    expect(ailing.tree()).toEqual(before);
    execFileSync('sh', ['-c', sudo.split(' && ')[0] ?? '']);
    await ailing.expectWell();

    give(ailing.data, stranger);
    await ailing.expectWell(['--fix-permissions']);
    const owner = statSync(sandbox.folder).uid;
    expect([lstatSync(ailing.file('link')).uid, statSync(outside).uid]).toEqual([owner, 0]);
    expect(ailing.tree().every((line) => line.split(' ')[2] === String(owner))).toBe(true);
    expect(modesOf(ailing)).toEqual(modes);
  });

  it('the whole folder of the instance too; but no file that has a second name elsewhere', async () => {
    const ailing = await Ailing.make();
    ({ sandbox } = ailing);
    const outside = join(sandbox.folder, 'shadow');
    writeFileSync(outside, 'root:x', { mode: 0o600 });
    linkSync(outside, ailing.file('zz-linked'));
    give(ailing.folder, stranger);
    const status = await sandbox.manage(['status', 'shop', '--json']);
    expect(status.json().data).toMatchObject({ state: 'broken', message: expect.stringContaining(ailing.folder) });
    chownSync(outside, 0, 0);
    const refused = await ailing.failure(['--fix-permissions']);
    expect(refused).toMatchObject({ code: 'DATA_PERMISSIONS', message: expect.stringContaining('zz-linked') });
    expect(statSync(outside).uid).toBe(0);
    rmSync(ailing.file('zz-linked'));
    await ailing.expectWell(['--fix-permissions']);
  });

  it('is refused where a link stands in its place', async () => {
    const ailing = await Ailing.make();
    ({ sandbox } = ailing);
    const elsewhere = join(sandbox.folder, 'elsewhere');
    renameSync(ailing.data, elsewhere);
    symlinkSync(elsewhere, ailing.data);
    chownSync(elsewhere, 0, 0);
    expect(await ailing.failure(['--fix-permissions'])).toMatchObject({ code: 'DATA_PERMISSIONS' });
    expect(statSync(elsewhere).uid).toBe(0);
    rmSync(ailing.data);
    renameSync(elsewhere, ailing.data);
    await ailing.expectWell(['--fix-permissions']);
  });
});

describe('a full disk', () => {
  it("under the data: told in the server's own words, and the server starts when there is room again", async () => {
    sandbox = await makeSandbox();
    const disk = await makeSmallDisk(sandbox, 120);
    const env = { PG_MANAGE_ROOT: join(disk.folder, 'root') };
    try {
      const create = ['create', 'shop', '--template', 'testing', '--port-range', sandbox.portRange, '--json'];
      dataOf(await disk.manage(create, { env }));
      // A lasting stop would be unsaid in the record first, and that is there that the disk would be found full.
      dataOf(await disk.manage(['stop', 'shop', '--for-now', '--json'], { env }));
      // What this tool and the server's log write may be elsewhere; then it is the server that finds the disk full.
      if (asRoot) for (const path of ['.pg-manage', 'instances/shop/log']) moveOut(join(disk.folder, 'root', path));
      await disk.fill(1024 ** 3);
      const started = await disk.manage(['start', 'shop', '--json'], { env });
      const { error } = started.json();
      expect([started.code, error]).toMatchObject([8, { code: 'DISK_SPACE', hint: expect.stringContaining('df -h') }]);
      if (asRoot) expect(error).toMatchObject({ output: expect.stringContaining('No space left on device') });
      await disk.free();
      dataOf(await disk.manage(['start', 'shop', '--json'], { env }));
    } finally {
      await disk.manage(['stop', 'shop', '--quiet'], { env }); // its quarantine is on another disk now
      await disk.remove();
    }
  });
});

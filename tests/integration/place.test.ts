import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { serverProgram } from '../helpers/database.ts';

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await makeSandbox();
});

afterAll(async () => {
  await sandbox.cleanup();
});

async function errorOf(
  ...args: string[]
): Promise<{ code: number; error: { code: string; message: string; hint: string } | undefined }> {
  const answer = await sandbox.manage([...args, '--json']);
  return { code: answer.code, error: answer.json().error };
}

describe('which PostgreSQL', () => {
  it('is the versioned folder behind what is on PATH', async () => {
    const { installations } = dataOf(await sandbox.manage(['config', '--json'])) as {
      installations: { bindir: string }[];
    };
    expect(installations[0]?.bindir).toBe(dirname(serverProgram('postgres')));
    expect(installations.map(({ bindir }) => bindir)).not.toContain('/usr/bin');
  });

  it("is never Debian's wrapper scripts, and a folder that is not complete is told what it lacks", async () => {
    const { code, error } = await errorOf('create', 'shop', '--bindir', '/usr/bin');
    expect([code, error?.code]).toEqual([1, 'NO_POSTGRES']);
    expect(error?.hint).toMatch(/missing there: .*postgres/);
  });

  it('is of the major version that was asked for, or none', async () => {
    const { code, error } = await errorOf('create', 'shop', '--pg-version', '9');
    expect([code, error?.code]).toEqual([1, 'NO_POSTGRES']);
    expect(error?.message).toContain('found:');
    expect(error?.hint).toContain('postgresql-9');
    expect(readdirSync(sandbox.folder)).not.toContain('root/instances');
  });

  it('may be reached through links', async () => {
    const links = join(sandbox.folder, 'bin');
    mkdirSync(links);
    for (const name of readdirSync(dirname(serverProgram('postgres'))))
      symlinkSync(serverProgram(name), join(links, name));
    const found = await sandbox.manage([
      'create',
      'linked',
      '--template',
      'testing',
      '--port-range',
      sandbox.portRange,
      '--bindir',
      links,
      '--json',
    ]);
    expect(dataOf(found)).toMatchObject({ state: 'running' });
  });
});

describe('the root', () => {
  it('is refused where the account that owns the data cannot go, with the folder named', async () => {
    const { code, error } = await errorOf('create', 'shop', '--root', '/root/pg-manage-test');
    expect([code, error?.code]).toEqual([1, 'ROOT_UNREACHABLE']);
    expect(error?.message).toContain('cannot enter /root');
    expect(error?.hint).toContain('--root');
  });

  it('comes from the flag before the environment, and config says so', async () => {
    const other = join(sandbox.folder, 'other');
    const byFlag = dataOf(await sandbox.manage(['config', '--root', other, '--json'])) as {
      settings: { root: object };
    };
    expect(byFlag.settings.root).toEqual({ value: other, origin: 'flag' });
    const byEnvironment = dataOf(await sandbox.manage(['config', '--json'])) as { settings: { root: object } };
    expect(byEnvironment.settings.root).toEqual({ value: sandbox.root, origin: 'PG_MANAGE_ROOT' });
  });
});

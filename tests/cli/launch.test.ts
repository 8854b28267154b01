import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { projectDirectory } from '../../lib/host/project.ts';
import { beginProgram, type Finished, listTree, makeSandbox, manageProgram, type RunOptions } from '../helpers/cli.ts';
import { type Sandbox, serviceAccount } from '../helpers/cli.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await makeSandbox();
});
afterAll(async () => await sandbox.cleanup());

async function run(file: string, args: string[], options: RunOptions = {}): Promise<Finished> {
  const env = { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host, ...options.env };
  return await beginProgram(file, args, { cwd: sandbox.folder, ...options, env }).finished;
}

const emptyList = { code: 0, stdout: expect.stringContaining('there are no instances'), stderr: '' };

describe('runs', () => {
  it('from /', async () => {
    expect(await sandbox.manage(['list'], { cwd: '/' })).toMatchObject(emptyList);
  });

  it('through a symbolic link, of a path with spaces', async () => {
    const places = join(sandbox.folder, 'my places');
    mkdirSync(places);
    symlinkSync(manageProgram, join(places, 'my manage'));
    symlinkSync(join(places, 'my manage'), join(sandbox.folder, 'twice'));
    for (const link of [join(places, 'my manage'), join(sandbox.folder, 'twice'), './my places/my manage']) {
      expect(await run(link, ['list'])).toMatchObject(emptyList);
    }
  });

  it('by its name alone', async () => {
    expect(await run('/bin/sh', ['manage.ts', 'list'], { cwd: projectDirectory })).toMatchObject(emptyList);
  });

  it('found on PATH', async () => {
    const bin = join(sandbox.folder, 'bin');
    mkdirSync(bin);
    symlinkSync(manageProgram, join(bin, 'pg-manage'));
    const env = { PATH: `${bin}:${process.env['PATH']}` };
    expect(await run('/bin/sh', ['-c', 'pg-manage list'], { env })).toMatchObject(emptyList);
  });

  it("with cron's environment", async () => {
    const node = dirname(process.execPath);
    const path = ['/usr/bin', '/bin'].includes(node) ? '/usr/bin:/bin' : `/usr/bin:/bin:${node}`;
    const words = ['-i', `HOME=${process.env['HOME']}`, `PATH=${path}`, manageProgram, 'list', '--root', sandbox.root];
    expect(await run('/usr/bin/env', words, { cwd: '/' })).toMatchObject(emptyList);
  });

  it('with relative paths as the caller sees them', async () => {
    const { json } = await sandbox.manage(['config', '--json', '--root', 'elsewhere'], { cwd: sandbox.folder });
    expect(json().data.settings.root).toEqual({ value: join(sandbox.folder, 'elsewhere'), origin: 'flag' });
  });
});

/** A checkout of the test's own: its sources are copies, each dependency is a link, its cache is not the real one. */
function makeCheckout(name: string): string {
  const checkout = join(sandbox.folder, name);
  mkdirSync(join(checkout, 'node_modules'), { recursive: true });
  for (const part of ['manage.ts', 'lib', 'templates', 'package.json', 'package-lock.json']) {
    cpSync(join(projectDirectory, part), join(checkout, part), { recursive: true });
  }
  for (const dependency of readdirSync(join(projectDirectory, 'node_modules'))) {
    if (dependency.startsWith('.')) continue;
    symlinkSync(join(projectDirectory, 'node_modules', dependency), join(checkout, 'node_modules', dependency));
  }
  return checkout;
}

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8');
  expect(text).toContain(from);
  writeFileSync(file, text.replace(from, to));
}

describe('an edited source is never answered by stale code', () => {
  it('however small the edit; and the edit taken back, too', async () => {
    const checkout = makeCheckout('edited');
    const program = join(checkout, 'manage.ts');
    const source = join(checkout, 'lib', 'actions', 'list.ts');
    const keys = (): string[] => readdirSync(join(checkout, 'node_modules', '.cache', 'pg-manage'));
    const first = await run(program, ['list']);
    expect(first).toMatchObject(emptyList);
    expect(keys()).toHaveLength(1);
    expect(await run(program, ['list'])).toMatchObject(emptyList);
    expect(keys()).toHaveLength(1);

    edit(source, 'there are no instances', 'there are NO instances');
    expect((await run(program, ['list'])).stdout).toContain('there are NO instances');
    edit(source, 'there are NO instances', 'there are no instances');
    expect(await run(program, ['list'])).toMatchObject(emptyList);
    expect(keys()).toHaveLength(3);
  });

  it('nor a source more, less, or of another name; what else lies among them does not count', async () => {
    const checkout = makeCheckout('more or less');
    const folder = join(checkout, 'lib', 'actions');
    const cache = join(checkout, 'node_modules', '.cache', 'pg-manage');
    const keysAfter = async (change: () => void): Promise<number> => {
      change();
      expect(await run(join(checkout, 'manage.ts'), ['list'])).toMatchObject(emptyList);
      return readdirSync(cache).length;
    };
    expect(await keysAfter(() => writeFileSync(join(folder, '4913'), ''))).toBe(1);
    expect(await keysAfter(() => writeFileSync(join(folder, 'more.ts'), ''))).toBe(2);
    expect(await keysAfter(() => renameSync(join(folder, 'more.ts'), join(folder, 'mere.ts')))).toBe(3);
    expect(await keysAfter(() => rmSync(join(folder, 'mere.ts')))).toBe(3);
    expect(await keysAfter(() => rmSync(join(folder, '4913')))).toBe(3);
  });
});

describe('in a checkout that cannot be written', () => {
  it('works for another user, who keeps what is built in a cache of their own', async () => {
    const checkout = makeCheckout('read only');
    const program = join(checkout, 'manage.ts');
    const other = serviceAccount();
    const home = join(sandbox.folder, 'home of another');
    mkdirSync(home);
    // Root can write anything: the other user is the account of the data. A plain user is kept out by the folder's mode.
    if (other === undefined) chmodSync(join(checkout, 'node_modules'), 0o555);
    else chownSync(home, other.uid, other.gid);
    const before = listTree(checkout);
    const env = { HOME: home, USER: other?.name };
    const options = { env, ...(other === undefined ? {} : { account: other }) };
    expect(await run(program, ['list'], options)).toMatchObject(emptyList);
    expect(readdirSync(join(home, '.cache', 'pg-manage'))).toHaveLength(1);
    expect(await run(program, ['--version'], options)).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(join(home, '.cache', 'pg-manage'))).toHaveLength(1);
    expect(listTree(checkout)).toEqual(before);
    if (other === undefined) chmodSync(join(checkout, 'node_modules'), 0o755);
  });

  it('works without any cache that can be written, and leaves nothing behind', async () => {
    const checkout = makeCheckout('without a cache');
    writeFileSync(join(checkout, 'node_modules', '.cache'), 'a file where the cache would be');
    const temporary = join(sandbox.folder, 'temporary');
    mkdirSync(temporary);
    const env = { HOME: '/dev/null', TMPDIR: temporary };
    expect(await run(join(checkout, 'manage.ts'), ['list'], { env })).toMatchObject(emptyList);
    expect(readdirSync(temporary)).toEqual([]);
    rmSync(temporary, { recursive: true });
  });

  it('a cache that others can write is not believed', async () => {
    const checkout = makeCheckout('open to all');
    const cache = join(checkout, 'node_modules', '.cache', 'pg-manage');
    expect(await run(join(checkout, 'manage.ts'), ['list'])).toMatchObject(emptyList);
    const [key = ''] = readdirSync(cache);
    for (const file of readdirSync(join(cache, key)).filter((name) => name.includes('manage')))
      writeFileSync(join(cache, key, file), 'console.log("planted"); process.exitCode = 99;');
    chmodSync(cache, 0o777);
    const finished = await run(join(checkout, 'manage.ts'), ['list'], { env: { HOME: sandbox.folder } });
    expect(finished).toMatchObject(emptyList);
    chmodSync(cache, 0o755);
  });
});

it('a checkout without its packages says what brings them', async () => {
  const checkout = makeCheckout('as cloned');
  rmSync(join(checkout, 'node_modules'), { recursive: true });
  const hint = `error the packages that the tool is made of are not there\nhint  cd '${checkout}' && npm ci\n`;
  expect(await run(join(checkout, 'manage.ts'), ['list'])).toMatchObject({ code: 1, stdout: '', stderr: hint });
});

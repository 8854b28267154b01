import { appendFileSync, chmodSync, existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { beginProgram, hasAllPrograms, listTree, makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { addressOf, query } from '../helpers/database.ts';
import { expectInvariants } from '../helpers/invariants.ts';
import { makeOwnCluster, type OwnCluster, runAsOwner } from '../helpers/own-cluster.ts';
import { claimPorts } from '../helpers/ports.ts';

let sandbox: Sandbox;
let cluster: OwnCluster;

beforeAll(async () => {
  sandbox = await makeSandbox();
  cluster = await makeOwnCluster(sandbox);
});

afterAll(async () => {
  await sandbox.manage(['release', 'shop', '--yes', '--quiet']);
  await cluster.stop();
  await sandbox.cleanup();
});

const kept = 'select answer, current_setting($$work_mem$$) as memory from kept';

describe('a cluster that initdb has made', () => {
  const adopt = (...args: string[]): string[] => ['adopt', 'shop', '--data-dir', cluster.data, '--json', ...args];
  let configuration: Record<string, string>;

  /** The error of a command that must touch neither the cluster nor the root. */
  async function refusal(...args: string[]): Promise<string | undefined> {
    const before = [cluster.configuration(), listTree(join(sandbox.root, 'instances'))];
    const { json } = await sandbox.manage(args);
    expect([cluster.configuration(), listTree(join(sandbox.root, 'instances'))]).toEqual(before);
    await cluster.answers();
    return json().error?.code;
  }

  it('is refused where it cannot be, before anything is touched', async () => {
    configuration = cluster.configuration();
    expect(await refusal(...adopt())).toBe('CONFIRMATION_REQUIRED');
    expect(await refusal('adopt', 'shop', '--json', '--yes')).toBe('USAGE');
    expect(await refusal(...adopt('--cluster', '15/main', '--yes'))).toBe('USAGE');
    expect(await refusal('adopt', 'shop', '--data-dir', sandbox.folder, '--json', '--yes')).toBe('NOT_ADOPTABLE');
    expect(await refusal(...adopt('--config-dir', sandbox.folder, '--yes'))).toBe('NOT_ADOPTABLE');
    const signal = join(cluster.data, 'standby.signal');
    writeFileSync(signal, '');
    expect(await refusal(...adopt('--yes'))).toBe('NOT_ADOPTABLE');
    rmSync(signal);
    chmodSync(cluster.data, 0o755);
    expect(await refusal(...adopt('--yes'))).toBe('DATA_PERMISSIONS');
    chmodSync(cluster.data, 0o700);
    await sandbox.create('other', '--template', 'testing');
    const { port } = await addressOf(sandbox, 'other');
    expect(await refusal(...adopt('--port', String(port), '--yes'))).toBe('PORT_IN_USE');
    dataOf(await sandbox.manage(['destroy', 'other', '--yes', '--json']));
  });

  it('comes back as it was when it cannot be run as asked', async () => {
    const { code, json } = await sandbox.manage(adopt('--database', 'nobody', '--yes'));
    expect([code, json().error?.code]).toEqual([1, 'NOT_ADOPTABLE']);
    await cluster.answers();
    expect(cluster.configuration()).toEqual(configuration);
    await expectInvariants(sandbox);
  });

  it('shows what it would set otherwise, and why', async () => {
    const { stdout } = await sandbox.manage(['adopt', 'shop', '--data-dir', cluster.data, '--dry-run']);
    expect(stdout).toMatch(/^ {2}archive_mode = on, was off: WAL goes to the archive$/m);
    expect(stdout).not.toMatch(/work_mem|listen_addresses/);
  });

  it('is an instance from then on: its clients and its settings stay, its backups are proven', async () => {
    const password = join(sandbox.folder, 'own.password');
    const { overrides, ...fields } = dataOf(await sandbox.manage(adopt('--password-file', password, '--yes')));
    expect(fields).toMatchObject({ name: 'shop', state: 'running', port: cluster.app.port });
    expect(overrides).toContainEqual(expect.objectContaining({ setting: 'archive_mode', was: 'off', becomes: 'on' }));
    expect(await query(cluster.app, kept)).toEqual([{ answer: 42, memory: '5MB' }]);
    expect(await addressOf(sandbox, 'shop')).toEqual(cluster.app);
    const own = ['-h', join(sandbox.folder, 'own'), '-p', String(cluster.app.port), '-U', 'app', '-Atc', 'table kept'];
    expect(await runAsOwner('psql', own)).toBe('42\n');
    await expectInvariants(sandbox);
    expect(dataOf(await sandbox.manage(['backup', 'shop', '--json']))).toMatchObject({ state: 'verified' });
    expect((await sandbox.manage(['check', 'shop'])).code).toBe(0);
    expect((await sandbox.manage(['destroy', 'shop', '--yes'])).code).toBe(2);
    expect((await sandbox.manage(adopt('--yes'))).json().error?.code).toBe('INSTANCE_EXISTS');
    const twice = ['adopt', 'again', '--data-dir', cluster.data, '--json', '--yes'];
    expect((await sandbox.manage(twice)).json().error?.message).toContain('is instance shop already');
  });

  it('is restored where it lies', async () => {
    await query(cluster.app, 'drop table kept');
    dataOf(await sandbox.manage(['restore', 'shop', '--to', 'immediate', '--yes', '--json']));
    expect(realpathSync(join(sandbox.root, 'instances', 'shop', 'data'))).toBe(cluster.data);
    expect(await query(cluster.app, kept)).toEqual([{ answer: 42, memory: '5MB' }]);
  });

  it('goes by another name, with its own socket beside ours', async () => {
    for (const [from = '', to = ''] of [
      ['shop', 'store'],
      ['store', 'shop'],
    ]) {
      dataOf(await sandbox.manage(['rename', from, '--to', to, '--yes', '--json']));
      const own = [
        '-h',
        join(sandbox.folder, 'own'),
        '-p',
        String(cluster.app.port),
        '-U',
        'app',
        '-Atc',
        'table kept',
      ];
      expect(await runAsOwner('psql', own)).toBe('42\n');
    }
  });

  it('is released as it was, but for what its operator has written since', async () => {
    appendFileSync(join(cluster.data, 'postgresql.conf'), 'maintenance_work_mem = 70MB\n');
    const released = dataOf(await sandbox.manage(['release', 'shop', '--yes', '--json']));
    expect(released).toMatchObject({ dataDirectory: cluster.data, backups: 1 });
    const { 'postgresql.conf': main, ...others } = cluster.configuration();
    const { 'postgresql.conf': before, ...same } = configuration;
    expect(others).toEqual(same);
    expect(main?.replaceAll(/\n+/g, '\n')).toBe(`${before}\nmaintenance_work_mem = 70MB\n`.replaceAll(/\n+/g, '\n'));
    await expectInvariants(sandbox);
    await cluster.start();
    await cluster.answers();
    expect(await query(cluster.app, `${kept} where current_setting('archive_mode') = 'off'`)).toHaveLength(1);
    const { backups } = dataOf(await sandbox.manage(['list-backups', 'shop', '--json'])) as { backups: object[] };
    expect(backups).toHaveLength(1);
  });

  it('is byte for byte what it was, where nobody has written anything, with checksums where they were asked for', async () => {
    const before = cluster.configuration();
    const args = adopt('--enable-checksums', '--yes');
    if (!hasAllPrograms()) {
      // What would write them is not there; a cluster that is stopped tells that it has them (PostgreSQL 18's default).
      expect(await refusal(...args)).toBe('NOT_ADOPTABLE');
      await cluster.stop();
    }
    dataOf(await sandbox.manage(args));
    dataOf(await sandbox.manage(['release', 'shop', '--yes', '--json']));
    expect(cluster.configuration()).toEqual(before);
    await cluster.start();
    const [{ on } = { on: '' }] = await query<{ on: string }>(
      cluster.app,
      "select current_setting('data_checksums') as on",
    );
    expect(on).toBe('on');
  });
});

describe("one of Debian's", () => {
  const name = `pgm${process.pid}`;
  const config = join('/etc/postgresql', '15', name);
  const mayMake = serviceAccount() !== undefined || userInfo().username === 'postgres';

  async function debian(program: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await beginProgram(program, args).finished;
    if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${code}\n${stderr}`);
    return stdout;
  }

  /** As Debian does by default: with a key that root owns, and only members of ssl-cert may read. */
  async function encrypt(): Promise<void> {
    if (serviceAccount() === undefined) return;
    const [key, certificate] = [join(sandbox.folder, 'key'), join(sandbox.folder, 'certificate')];
    const subject = ['-subj', '/CN=test', '-days', '2'];
    await debian(
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      certificate,
      ...subject,
    );
    await debian('chgrp', 'ssl-cert', key);
    chmodSync(key, 0o640);
    chmodSync(certificate, 0o644);
    const lines = { ssl: 'on', ssl_cert_file: certificate, ssl_key_file: key };
    for (const [setting, value] of Object.entries(lines))
      await debian('pg_conftool', '15', name, 'set', setting, value);
  }

  it("belongs to Debian's tools until it is adopted, then to this one, then to them again", async () => {
    if (!mayMake) {
      // Only root and postgres can have one: for anybody else there is none to adopt.
      const { code, json } = await sandbox.manage(['adopt', 'd', '--cluster', `15/${name}`, '--yes', '--json']);
      return expect([code, json().error?.code]).toEqual([1, 'NOT_ADOPTABLE']);
    }
    const ports = await claimPorts();
    await debian('pg_createcluster', '15', name, '--port', String(ports.first), '--', '--no-sync');
    try {
      await encrypt();
      await debian('pg_ctlcluster', '15', name, 'start');
      const start = readFileSync(join(config, 'start.conf'), 'utf8');
      const adopted = dataOf(await sandbox.manage(['adopt', 'd', '--cluster', `15/${name}`, '--yes', '--json']));
      expect(adopted).toMatchObject({ state: 'running', port: ports.first });
      expect(await debian('pg_lsclusters', '-h')).toMatch(new RegExp(`^15 +${name} +${ports.first} +online`, 'm'));
      expect(dataOf(await sandbox.manage(['backup', 'd', '--json']))).toMatchObject({ state: 'verified' });
      expect((await sandbox.manage(['move', 'd', '--to', sandbox.folder, '--yes'])).code).toBe(2);
      dataOf(await sandbox.manage(['stop', 'd', '--json']));
      await expect(debian('pg_ctlcluster', '15', name, 'start')).rejects.toThrow(/disabled/);
      dataOf(await sandbox.manage(['release', 'd', '--yes', '--json']));
      expect(readFileSync(join(config, 'start.conf'), 'utf8')).toBe(start);
      const data = join('/var/lib/postgresql/15', name);
      expect(
        ['postgresql.conf', 'pg_hba.conf', 'pg-manage.conf'].filter((file) => existsSync(join(data, file))),
      ).toEqual([]);
      await debian('pg_ctlcluster', '15', name, 'start');
      expect(await debian('pg_lsclusters', '-h')).toMatch(new RegExp(`^15 +${name} +${ports.first} +online`, 'm'));
    } finally {
      await sandbox.manage(['release', 'd', '--yes', '--quiet']);
      await debian('pg_dropcluster', '15', name, '--stop');
      ports.release();
    }
  });
});

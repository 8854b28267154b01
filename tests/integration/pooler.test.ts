import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { findProgram } from '../../lib/host/programs.ts';
import { commandLine, processUser } from '../../lib/host/processes.ts';
import { dataOf } from '../helpers/answer.ts';
import { listTree, makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { type Address, addressOf, query, serverProgram, superQuery } from '../helpers/database.ts';
import { codes, diagnoseIn } from '../helpers/diagnose.ts';
import { expectInvariants } from '../helpers/invariants.ts';
import { manageWithout } from '../helpers/without-program.ts';

const run = promisify(execFile);
const maxConnections = 50;

let sandbox: Sandbox;
let direct: Address;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing', '--max-connections', String(maxConnections));
  dataOf(await sandbox.manage(['backup', 'shop', '--no-verify', '--json']));
  dataOf(await sandbox.manage(['pooler', 'shop', '--port-range', sandbox.portRange, '--json']));
  direct = await addressOf(sandbox, 'shop');
});

afterAll(async () => {
  await sandbox.cleanup();
});

async function pooled(name = 'shop'): Promise<Address> {
  return dataOf(await sandbox.manage(['connect', name, '--via', 'pooler', '--json'])) as Address;
}

async function poolerOf(name = 'shop'): Promise<{ port: number; state: string; pid: number; mode: string }> {
  const status = await sandbox.manage(['status', name, '--json']);
  return status.json().data.pooler as Awaited<ReturnType<typeof poolerOf>>;
}

function poolerFile(name: string): string {
  return join(sandbox.root, 'instances', 'shop', 'pooler', name);
}

/** So many clients at once, each connecting anew for each of its two transactions. */
async function manyClients({ url }: Address, clients: number): Promise<string> {
  const script = join(sandbox.folder, 'one.sql');
  writeFileSync(script, 'select 1;\n');
  const args = ['-n', '-C', '-c', String(clients), '-j', '2', '-t', '2', '-f', script, url];
  return (await run(serverProgram('pgbench'), args)).stdout;
}

describe('many clients and few connections', () => {
  it('500 clients against max_connections 50 through the pooler: all are served', async () => {
    const said = await manyClients(await pooled(), 500);
    expect(said).toContain('number of transactions actually processed: 1000/1000');
    expect(said).toContain('number of failed transactions: 0');
    const [row] = await superQuery<{ sessions: number }>(
      sandbox,
      'shop',
      "select count(*)::int as sessions from pg_stat_activity where backend_type = 'client backend'",
    );
    expect(row?.sessions).toBeLessThanOrEqual(maxConnections - 3);
  });

  it('the same clients without it: refused, and status and diagnose say it in one line', async () => {
    await expect(manyClients(direct, 500)).rejects.toThrow(/too many clients|remaining connection slots/);
    const greedy: pg.Client[] = [];
    try {
      for (;;) {
        const client = new pg.Client({ connectionString: direct.url, application_name: 'greedy' });
        client.on('error', () => undefined);
        try {
          await client.connect();
        } catch {
          break; // too many clients already
        }
        greedy.push(client);
      }
      const line =
        /4[0-9] of the 47 connections that clients may have are taken \(\d+ %\): .* by shop \(greedy\), idle/;
      const status = await sandbox.manage(['status', 'shop', '--json']);
      expect(status.code).toBe(0);
      expect(status.json().warnings).toEqual([expect.stringMatching(line)]);
      const { findings } = await diagnoseIn(sandbox, '--instance', 'shop');
      const found = findings.find(({ code }) => code === 'CONNECTIONS_HIGH');
      expect(found).toMatchObject({ severity: 'critical', cause: expect.stringMatching(line) });
      expect(found?.cause).toContain('raising max_connections by 25 would commit 50 MB more');
      expect(found?.remedy).toContain(
        'tune --instance shop --max-connections 75 --apply && ./manage.ts --action restart',
      );
    } finally {
      for (const client of greedy) await client.end();
    }
  });

  it('refuses pools that would not fit, and leaves things as they are', async () => {
    const before = readFileSync(poolerFile('pgbouncer.ini'), 'utf8');
    const refused = await sandbox.manage(['pooler', 'shop', '--pool-size', '45', '--json']);
    expect([refused.code, refused.json().error?.code]).toEqual([8, 'POOLER_BUDGET']);
    expect(readFileSync(poolerFile('pgbouncer.ini'), 'utf8')).toBe(before);
    const again = dataOf(await sandbox.manage(['pooler', 'shop', '--pool-size', '20', '--json']));
    expect(again.pooler).toMatchObject({ serverConnections: 21, directConnections: 26 });
    expect(await query(await pooled(), 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('who may come in', () => {
  it('no password is in a file, an argument or the environment of the pooler, which is not root', async () => {
    const { pid } = await poolerOf();
    const texts = readdirSync(poolerFile('.'), { recursive: true, encoding: 'utf8' })
      .map(poolerFile)
      .filter((path) => statSync(path).isFile())
      .map((path) => readFileSync(path, 'utf8'));
    expect(texts.length).toBeGreaterThanOrEqual(2);
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
    for (const text of [...texts, environment, commandLine(pid).join(' ')]) {
      expect(text).not.toContain(direct.password);
      expect(text).not.toContain('SCRAM-SHA-256$');
    }
    expect(processUser(pid)).toBe(serviceAccount()?.uid ?? process.getuid?.());
    expect(statSync(poolerFile('pgbouncer.ini')).mode & 0o777).toBe(0o600);
  });

  it('a changed password counts from the next login on; the superuser is never let through', async () => {
    const address = await pooled();
    const as = (user: string, password: string) =>
      query({ url: `postgresql://${user}:${password}@127.0.0.1:${address.port}/shop` } as Address, 'select 1 as one');
    await superQuery(sandbox, 'shop', `create role clerk login password 'first'`);
    expect(await as('clerk', 'first')).toEqual([{ one: 1 }]);
    await superQuery(sandbox, 'shop', `alter role clerk password 'second'`);
    expect(await as('clerk', 'second')).toEqual([{ one: 1 }]);
    await expect(as('clerk', 'first')).rejects.toThrow(/authentication failed|no such user/);
    await superQuery(sandbox, 'shop', `alter role clerk valid until '2020-01-01'`);
    await expect(as('clerk', 'second')).rejects.toThrow(/authentication failed|no such user/);
    await superQuery(sandbox, 'shop', `alter role clerk valid until 'infinity' superuser`);
    await expect(as('clerk', 'second')).rejects.toThrow(/authentication failed|no such user/);
    await superQuery(sandbox, 'shop', `drop role clerk`);
  });

  it('only the pooler looks up secrets', async () => {
    await expect(query(direct, "select * from pgmanage_pooler.secret_of('shop')")).rejects.toThrow(/permission denied/);
  });
});

describe('with its instance', () => {
  it('killed, it is told of by status and diagnose, and start brings it back', async () => {
    const { pid } = await poolerOf();
    process.kill(pid, 'SIGKILL');
    const status = await sandbox.manage(['status', 'shop', '--json']);
    expect(status.json().data.pooler).toMatchObject({ state: 'crashed', pid: null });
    expect(status.json().warnings).toEqual([expect.stringContaining('POOLER_DOWN')]);
    const { code, findings } = await diagnoseIn(sandbox, '--instance', 'shop');
    expect([code, codes(findings)[0]]).toEqual([1, 'shop POOLER_DOWN']);
    expect(findings[0]?.remedy).toBe('./manage.ts --action start --instance shop');
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
    expect(await query(await pooled(), 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('stops and starts with it; a stranger that names its configuration is left alone', async () => {
    const { pid } = await poolerOf();
    const stranger = spawn('tail', ['-f', poolerFile('pgbouncer.ini')], { stdio: 'ignore' });
    try {
      expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
      expect(await poolerOf()).toMatchObject({ state: 'stopped', pid: null });
      expect([commandLine(pid), stranger.exitCode, stranger.signalCode]).toEqual([[], null, null]);
      expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
      expect(await query(await pooled(), 'select 1 as one')).toEqual([{ one: 1 }]);
      expect((await sandbox.manage(['restart', 'shop'])).code).toBe(0);
      expect(await poolerOf()).toMatchObject({ state: 'running' });
    } finally {
      stranger.kill();
      await once(stranger, 'exit');
    }
  });

  it('migrations go direct, and have it forget what its connections know', async () => {
    const folder = join(sandbox.folder, 'migrations');
    await run('mkdir', ['-p', folder]);
    writeFileSync(join(folder, '001_make.sql'), 'create table made ();\n');
    const migrated = await sandbox.manage(['migrate', 'shop', '--migrations-dir', folder, '--json']);
    expect(dataOf(migrated)).toMatchObject({ current: '001' });
    expect(readFileSync(poolerFile('pgbouncer.log'), 'utf8')).toContain('RECONNECT command issued');
  });

  it('serves again after a restore to before it was there; a copy has none', async () => {
    const restored = await sandbox.manage(['restore', 'shop', '--to', 'immediate', '--yes', '--json']);
    expect([restored.code, restored.json().warnings.filter((one) => one.includes('pooler'))]).toEqual([0, []]);
    expect(await query(await pooled(), 'select 1 as one')).toEqual([{ one: 1 }]);
    await sandbox.manage(['backup', 'shop', '--no-verify']);
    const copied = await sandbox.manage(['restore', 'shop', '--as', 'copy', '--port-range', sandbox.portRange]);
    expect(copied.code).toBe(0);
    expect((await sandbox.manage(['connect', 'copy', '--via', 'pooler', '--json'])).json().error?.code).toBe(
      'NO_POOLER',
    );
    await expectInvariants(sandbox);
    expect((await sandbox.manage(['destroy', 'copy', '--yes'])).code).toBe(0);
  });

  it('is taken away with all that it had', async () => {
    expect((await sandbox.manage(['pooler', 'shop', '--off'])).code).toBe(0);
    expect(await superQuery(sandbox, 'shop', `select from pg_roles where rolname = 'pgmanage_pooler'`)).toEqual([]);
    expect(await query(direct, `select from pg_namespace where nspname = 'pgmanage_pooler'`)).toEqual([]);
    expect(listTree(join(sandbox.root, 'instances', 'shop')).filter((path) => path.includes('pooler'))).toEqual([]);
    await expectInvariants(sandbox);
  });
});

describe('a machine without PgBouncer', () => {
  it('says so with the command that installs it, and changes nothing', async () => {
    const program = findProgram('pgbouncer') ?? '';
    // A running server writes in its data directory, whatever we do.
    const files = (): string[] =>
      ['root/instances', 'host/leases']
        .flatMap((name) => listTree(join(sandbox.folder, name)))
        .filter((line) => !line.startsWith('shop/data '));
    const before = files();
    for (const args of [
      ['pooler', 'shop'],
      ['create', 'other', '--pooler'],
    ]) {
      const refused = await manageWithout(sandbox, program, [...args, '--port-range', sandbox.portRange, '--json']);
      expect([refused.code, refused.json().error?.code]).toEqual([1, 'NO_PGBOUNCER']);
      expect(refused.json().error?.hint).toContain('apt-get install pgbouncer');
    }
    expect(files()).toEqual(before);
  });
});

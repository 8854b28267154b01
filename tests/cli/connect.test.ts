import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { withClient } from '../../lib/postgres/sql.ts';
import { beginProgram, makeSandbox, manageProgram, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let created: string;
/** What it is for; read from the file, not from the tool. */
let password: string;
beforeAll(async () => {
  sandbox = await makeSandbox();
  // Names that a shell and a URL must both be guarded against.
  const names = ['--username', "o'neil $USER", '--database', 'shop & co'];
  created = (await sandbox.create('client-a', '--json', ...names)).stdout;
  password = readFileSync(join(sandbox.root, 'instances', 'client-a', 'password'), 'utf8').trim();
});
afterAll(async () => await sandbox.cleanup());

async function connect(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await sandbox.manage(['connect', 'client-a', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

interface Connection {
  host: string;
  port: number;
  database: string;
  username: string;
  password: string;
  url: string;
}

async function connection(): Promise<Connection> {
  return JSON.parse(await connect('--format', 'json')) as Connection;
}

it('the password is in a file that only its owner reads', () => {
  expect(password).toMatch(/^[\w-]{20,}$/);
  const { mode } = statSync(join(sandbox.root, 'instances', 'client-a', 'password'));
  expect(mode & 0o777).toBe(0o600);
});

describe('--format', () => {
  it('json and --json give what the contract promises', async () => {
    const plain = await connection();
    expect(plain).toEqual({
      host: '127.0.0.1',
      port: expect.any(Number),
      database: 'shop & co',
      username: "o'neil $USER",
      password,
      url: expect.stringMatching(/^postgresql:\/\//),
    });
    expect((JSON.parse(await connect('--json')) as { data: object }).data).toEqual(plain);
  });

  it('url prints the URL and nothing else, and it works', async () => {
    const stdout = await connect('--format', 'url');
    const { url, host, port } = await connection();
    expect(stdout).toBe(`${url}\n`);
    const { username, pathname, password: inUrl } = new URL(url);
    const [user, database] = [decodeURIComponent(username), decodeURIComponent(pathname.slice(1))];
    const limits = { signal: new AbortController().signal, timeoutMs: 10_000 };
    const address = { host, port, user, database, password: inUrl };
    const rows = await withClient({ ...address, ...limits }, async (client) => {
      return (await client.query('select current_user::text as user, current_database()::text as database')).rows;
    });
    expect(rows).toEqual([{ user: "o'neil $USER", database: 'shop & co' }]);
  });

  it('env can be evaluated by sh', async () => {
    const script = `eval "$(./manage.ts connect client-a --format env)" && env`.replace('./manage.ts', '"$0"');
    const env = { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host };
    const assigned = `set -a; ${script}`;
    const { code, stdout, stderr } = await beginProgram('/bin/sh', ['-c', assigned, manageProgram], { env }).finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { url, host, port, database, username } = await connection();
    for (const line of [
      `DATABASE_URL=${url}`,
      `PGHOST=${host}`,
      `PGPORT=${port}`,
      `PGDATABASE=${database}`,
      `PGUSER=${username}`,
      `PGPASSWORD=${password}`,
    ]) {
      expect(stdout.split('\n')).toContain(line);
    }
  });

  it('default is a table', async () => {
    const stdout = await connect();
    expect(stdout).toMatch(/^host {2,}127\.0\.0\.1$/m);
    expect(stdout).toMatch(/^database {2,}shop & co$/m);
    expect(await connect('--format', 'default')).toBe(stdout);
  });
});

it('no other action tells the password', async () => {
  expect(created).not.toContain(password);
  for (const args of [
    ['list', '--json'],
    ['list'],
    ['status', 'client-a', '--json'],
    ['status', 'client-a'],
    ['config', '--json'],
    ['restart', 'client-a', '--json', '--dry-run'],
    ['destroy', 'client-a', '--json', '--dry-run', '--verbose'],
  ]) {
    const { code, stdout, stderr } = await sandbox.manage(args);
    expect(code).toBe(0);
    expect(stdout + stderr).not.toContain(password);
  }
});

// A defect of lib/instances/create.ts: `create role … password '…'` is logged under log_statement = all (development).
// Mended by sending a SCRAM verifier made here; then this is an `it` like the others.
it('the server log does not tell the password', async () => {
  const { stdout } = await sandbox.manage(['logs', 'client-a', '--lines', '1000']);
  expect(stdout).not.toContain(password);
});

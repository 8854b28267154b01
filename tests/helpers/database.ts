import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type Login, loginAt } from '../../lib/instances/login.ts';
import type { InstanceRecord } from '../../lib/instances/record.ts';
import type { Sandbox } from './cli.ts';

/** What `connect --json` says. */
export type Address = Login;

/** The same as `connect` says, by the same code, without a process for each question. */
export async function addressOf({ root }: Pick<Sandbox, 'root'>, name: string): Promise<Address> {
  const folder = join(root, 'instances', name);
  const { port, database, role } = recordOf(root, name);
  return loginAt({ port, database, username: role }, readFileSync(join(folder, 'password'), 'utf8').trim());
}

type InstanceFile = Pick<InstanceRecord, 'port' | 'database' | 'role' | 'bindir'>;

function recordOf(root: string, instance: string): InstanceFile {
  return JSON.parse(readFileSync(join(root, 'instances', instance, 'instance.json'), 'utf8')) as InstanceFile;
}

/** Asks one question over TCP, as a client of the instance does. */
export async function query<T extends pg.QueryResultRow>({ url }: Address, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Asks as the superuser over the instance's own socket, as root or the owner of the data may. */
export async function superQuery<T extends pg.QueryResultRow>(
  sandbox: Sandbox,
  name: string,
  sql: string,
  database = 'postgres',
): Promise<T[]> {
  const { port } = recordOf(sandbox.root, name);
  const host = join(sandbox.root, 'instances', name, 'run');
  const client = new pg.Client({ host, port, user: 'postgres', database, password: '' });
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A program of the newest PostgreSQL on this machine. */
export function serverProgram(name: string): string {
  const base = '/usr/lib/postgresql';
  const newest = readdirSync(base).sort((a, b) => Number(b) - Number(a))[0] ?? '';
  const path = join(base, newest, 'bin', name);
  if (!existsSync(path)) throw new Error(`these tests need ${path}`);
  return path;
}

/** A program of the PostgreSQL that an instance is run by. */
export function programOf({ root }: Pick<Sandbox, 'root'>, instance: string, name: string): string {
  return join(recordOf(root, instance).bindir, name);
}

const run = promisify(execFile);

export async function pgbenchInit({ url }: Address, scale: number): Promise<void> {
  await run(serverProgram('pgbench'), ['--initialize', '--quiet', '--scale', String(scale), url]);
}

/** pgbench going on until it is told to stop. */
export class Load {
  private readonly child: ChildProcess;

  constructor({ url }: Address) {
    const args = ['--no-vacuum', '--client=2', '--time=3600', url];
    this.child = spawn(serverProgram('pgbench'), args, { stdio: 'ignore' });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) throw new Error(`pgbench ended by itself (exit status ${this.child.exitCode})`);
    this.child.kill('SIGTERM');
    await once(this.child, 'exit');
  }
}

export interface Invariant {
  accounts: string;
  tellers: string;
  branches: string;
  history: string;
}

/** Each pgbench transaction adds one delta to an account, a teller, a branch and the history: the four sums are equal. */
export async function pgbenchSums(address: Address): Promise<Invariant> {
  const [sums] = await query<Invariant & pg.QueryResultRow>(
    address,
    `select (select sum(abalance) from pgbench_accounts)::text as accounts,
            (select sum(tbalance) from pgbench_tellers)::text as tellers,
            (select sum(bbalance) from pgbench_branches)::text as branches,
            (select coalesce(sum(delta), 0) from pgbench_history)::text as history`,
  );
  return sums as Invariant;
}

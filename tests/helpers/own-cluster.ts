import { appendFileSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Account } from '../../lib/host/users.ts';
import { poll } from '../../lib/host/wait.ts';
import { beginProgram, type Sandbox, serviceAccount, testedMajor } from './cli.ts';
import { type Address, query } from './database.ts';
import { programsIn } from './throwaway-server.ts';

/** A cluster made by initdb, which no tool of ours knows of. */
export interface OwnCluster {
  data: string;
  /** What an application has had all along: the role `app` on the database `app`. */
  app: Address;
  /** Starts it by its own programs, unless it runs. */
  start(): Promise<void>;
  /** Ends it, if its own programs have started it. */
  stop(): Promise<void>;
  /** Waits until its own server, or another on its port, lets the application in. */
  answers(): Promise<void>;
  /** Every file of its configuration, and its text. */
  configuration(): Record<string, string>;
}

/** Runs a program as the account of the data. @throws with what it said */
export async function runAsOwner(file: string, args: readonly string[]): Promise<string> {
  const account: Account | undefined = serviceAccount();
  const { code, stdout, stderr } = await beginProgram(file, args, { cwd: '/', ...(account && { account }) }).finished;
  if (code !== 0) throw new Error(`${file} ${args.join(' ')}: ${code}\n${stdout}\n${stderr}`);
  return stdout;
}

/** Makes one in a folder of a sandbox, running, with lines of its operator's in its configuration. */
export async function makeOwnCluster(sandbox: Sandbox, name = 'own'): Promise<OwnCluster> {
  const folder = join(sandbox.folder, name);
  const data = join(folder, 'pgdata');
  const account = serviceAccount();
  mkdirSync(folder);
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
  const bindir = await programsIn(folder, testedMajor());
  await runAsOwner(join(bindir, 'initdb'), [
    '-D',
    data,
    '-U',
    'postgres',
    '-N',
    '--auth-local=trust',
    '--auth-host=scram-sha-256',
  ]);
  const port = Number(sandbox.portRange.split('-')[1]);
  appendFileSync(
    join(data, 'postgresql.conf'),
    `port = ${port}\nunix_socket_directories = '${folder}'\nwork_mem = 5MB  # ours\nfsync = off`,
  );
  const log = join(folder, 'log');
  const ctl = async (...args: string[]): Promise<string> =>
    await runAsOwner(join(bindir, 'pg_ctl'), ['-D', data, ...args]);
  const password = 'secret';
  const login = { host: '127.0.0.1', port, database: 'app', username: 'app', password };
  const app: Address = { ...login, url: `postgresql://app:${password}@127.0.0.1:${port}/app` };
  writeFileSync(join(sandbox.folder, `${name}.password`), `${password}\n`);
  const cluster: OwnCluster = {
    data,
    app,
    async start() {
      const runs = await ctl('status').then(
        () => true,
        () => false,
      );
      if (!runs) await ctl('-l', log, '-w', 'start');
      await cluster.answers();
    },
    stop: async () => void (await ctl('-w', '-m', 'fast', 'stop').catch(() => undefined)),
    async answers() {
      const asked = async () => await query(app, 'select 1').catch(() => undefined);
      const found = await poll(asked, { signal: new AbortController().signal, timeoutMs: 30_000 });
      if (found === undefined) throw new Error(`nobody answers on port ${port}:\n${readFileSync(log, 'utf8')}`);
    },
    configuration() {
      const files = readdirSync(data).filter((file) => /\.conf$|^current_logfiles$/.test(file));
      return Object.fromEntries(files.map((file) => [file, readFileSync(join(data, file), 'utf8')]));
    },
  };
  await ctl('-l', log, '-w', 'start');
  const psql = ['-h', folder, '-p', String(port), '-U', 'postgres', '-qX', '-d'];
  const made = ["create role app login password 'secret'", 'create database app owner app'];
  await runAsOwner('psql', [...psql, 'postgres', ...made.flatMap((sql) => ['-c', sql])]);
  await query(app, 'create table kept as select 42 as answer');
  return cluster;
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chownSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { standingIn } from '../../lib/host/processes.ts';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from './answer.ts';
import { type Document, makeSandbox, type RunOptions, type Sandbox, serviceAccount } from './cli.ts';
import { addressOf, programOf, query } from './database.ts';

/** An instance `shop`, stopped, whose data a test makes ill and cures; it can be put back to what it was. */
export class Ailing {
  readonly sandbox: Sandbox;
  readonly folder: string;
  readonly data: string;

  static async make(where?: { onDisk: boolean }): Promise<Ailing> {
    const sandbox = await makeSandbox(where);
    const ailing = new Ailing(sandbox);
    try {
      await sandbox.create('shop', '--template', 'testing');
      await query(await addressOf(sandbox, 'shop'), 'create table orders as select generate_series(1, 100) as n');
      await ailing.stop();
      return ailing;
    } catch (error) {
      await sandbox.cleanup();
      throw error;
    }
  }

  constructor(sandbox: Sandbox) {
    this.sandbox = sandbox;
    this.folder = join(sandbox.root, 'instances', 'shop');
    this.data = join(this.folder, 'data');
  }

  file(...names: string[]): string {
    return join(this.data, ...names);
  }

  async stop(): Promise<void> {
    dataOf(await this.sandbox.manage(['stop', 'shop', '--json']));
  }

  /** What `start` says and ends with when it fails. */
  async failure(
    args: string[] = [],
    options?: RunOptions,
  ): Promise<NonNullable<Document['error']> & { output?: string }> {
    const finished = await this.sandbox.manage(['start', 'shop', '--json', ...args], options);
    const { error } = finished.json();
    if (error === undefined) throw new Error(`it started:\n${finished.stdout}`);
    expect(finished.code).toBe(error.exitCode);
    return error;
  }

  /** Starts it, finds its data whole, and stops it. */
  async expectWell(args: string[] = [], options?: RunOptions): Promise<Document> {
    const started = await this.sandbox.manage(['start', 'shop', '--json', ...args], options);
    expect(dataOf(started)).toMatchObject({ state: 'running' });
    const [row] = await query(await addressOf(this.sandbox, 'shop'), 'select sum(n)::int as sum from orders');
    expect(row).toEqual({ sum: 5050 });
    await this.stop();
    return started.json();
  }

  /** Writes a file of the data as its owner does. */
  write(name: string, text: string | Uint8Array): void {
    writeFileSync(this.file(name), text, { mode: 0o600 });
    this.own(this.file(name));
  }

  /** Adds a line to postgresql.conf. @returns its place, as errors name it, and how to take it back */
  configure(line: string): { place: string; undo: () => void } {
    const before = readFileSync(this.file('postgresql.conf'), 'utf8');
    appendFileSync(this.file('postgresql.conf'), `${line}\n`);
    const number = before.split('\n').length;
    return {
      place: `${this.file('postgresql.conf')}, line ${number}`,
      undo: () => writeFileSync(this.file('postgresql.conf'), before),
    };
  }

  own(path: string): void {
    const { uid, gid } = statSync(this.sandbox.folder);
    chownSync(path, uid, gid);
  }

  /** Everything in the data but what every start of a server writes: equal listings mean that nothing was touched. */
  tree(): string[] {
    return readdirSync(this.data, { recursive: true, encoding: 'utf8' })
      .toSorted()
      .map((name) => {
        const { mode, uid, size, mtimeMs } = lstatSync(this.file(name));
        return `${name} ${mode.toString(8)} ${uid} ${size} ${mtimeMs}`;
      });
  }

  /** A server by hand on the data (or on a copy of it), as its owner, until `end`. */
  async serveByHand(
    port: number,
    { data = this.data, sockets = this.sandbox.folder, listen = 'localhost' } = {},
  ): Promise<{ pid: number; alive: () => boolean; end: () => Promise<void> }> {
    const account = serviceAccount();
    const settings = ['archive_mode=off', `unix_socket_directories=${sockets}`, `listen_addresses=${listen}`];
    const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    const child = spawn(programOf(this.sandbox, 'shop', 'postgres'), args, {
      stdio: 'ignore',
      cwd: '/',
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    const ended = once(child, 'exit');
    const ready = (): true | undefined => (/\nready/.test(tryRead(join(data, 'postmaster.pid'))) ? true : undefined);
    expect(await poll(ready, { signal: new AbortController().signal, timeoutMs: 20_000 })).toBe(true);
    return {
      pid: child.pid ?? 0,
      alive: () => child.exitCode === null && child.signalCode === null,
      async end() {
        child.kill('SIGINT');
        await ended;
      },
    };
  }
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Somebody else's program on a port. */
export async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Kills the server of an instance outright, as a power loss does. */
export async function crash(ailing: Ailing): Promise<void> {
  dataOf(await ailing.sandbox.manage(['start', 'shop', '--json']));
  const pid = Number(tryRead(ailing.file('postmaster.pid')).split('\n')[0]);
  process.kill(pid, 'SIGKILL');
  // Its children end by themselves, and hold its memory until then.
  const gone = (): true | undefined => (standingIn(ailing.data).length > 0 ? undefined : true);
  expect(await poll(gone, { signal: new AbortController().signal, timeoutMs: 10_000 })).toBe(true);
  rmSync(ailing.file('postmaster.opts'), { force: true });
}

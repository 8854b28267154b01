import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { calledByRoot, findAccount } from '../../lib/host/users.ts';
import { poll } from '../../lib/host/wait.ts';
import { chooseInstallation } from '../../lib/postgres/installations.ts';
import { identifier, withClient, type Client } from '../../lib/postgres/sql.ts';
import { makeTestFolder } from './places.ts';

/** How to reach a database of the server. */
export interface ThrowawayConnection {
  host: string;
  port: number;
  user: string;
  database: string;
}

export interface ThrowawayServer {
  /** The folder that holds everything; also that of the socket. */
  folder: string;
  /** The folder of its programs. */
  bindir: string;
  connection(database?: string): ThrowawayConnection;
  /** Lends a connection of its own to `work`. */
  query<T>(database: string, work: (client: Client) => Promise<T>): Promise<T>;
  createDatabase(name: string): Promise<void>;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

const port = 5432;
const readyMs = 60_000;
const stopMs = 20_000;

/**
 * Starts a real server of the test's own: a socket in a temporary folder, no network, no syncing, trust. It is of the major
 * that PG_TEST_MAJOR names, unless the test asks its client programs too, of which npm brings none.
 */
export async function startThrowawayServer(
  settings: Record<string, string | number> = {},
  { withClients = false }: { withClients?: boolean } = {},
): Promise<ThrowawayServer> {
  const folder = makeTestFolder('pgm-test-');
  const as = serverAccount();
  if (as.uid !== undefined && as.gid !== undefined) chownSync(folder, as.uid, as.gid);
  try {
    const data = join(folder, 'data');
    const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'];
    const bindir = await programsIn(folder, withClients ? undefined : process.env['PG_TEST_MAJOR']);
    execFileSync(join(bindir, 'initdb'), initdb, { ...as, cwd: folder, stdio: 'pipe' });
    const all = {
      listen_addresses: '',
      unix_socket_directories: folder,
      port,
      fsync: 'off',
      max_connections: 60,
      ...settings,
    };
    const server = start(
      folder,
      ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      as,
      bindir,
    );
    const throwaway = handle(folder, server, bindir);
    await waitUntilReady(throwaway, server);
    return throwaway;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Starts a server on a folder whose `data` the test has made and configured; the folder is the test's to remove. */
export async function startServerOn(folder: string, bindir: string): Promise<ThrowawayServer> {
  const place = { listen_addresses: '', unix_socket_directories: folder, port };
  const settings = Object.entries(place).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const args = ['-D', join(folder, 'data'), ...settings];
  const server = start(folder, args, serverAccount(), bindir);
  const running = { ...handle(folder, server, bindir), stop: async () => await end(server) };
  await waitUntilReady(running, server);
  return running;
}

function handle(folder: string, server: ChildProcess, bindir: string): ThrowawayServer {
  const connection = (database = 'postgres'): ThrowawayConnection => ({
    host: folder,
    port,
    user: 'postgres',
    database,
  });
  const query: ThrowawayServer['query'] = (database, work) =>
    withClient({ ...connection(database), signal: new AbortController().signal, timeoutMs: 0 }, work);
  return {
    folder,
    bindir,
    connection,
    query,
    createDatabase: async (name) => {
      await query('postgres', (client) => client.query(`CREATE DATABASE ${identifier(name)}`));
    },
    stop: async () => {
      await end(server);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function start(folder: string, args: string[], as: SpawnOptions, bindir: string): ChildProcess {
  const log = openSync(join(folder, 'server.log'), 'a');
  const server = spawn(join(bindir, 'postgres'), args, { ...as, cwd: folder, stdio: ['ignore', log, log] });
  closeSync(log);
  return server;
}

async function waitUntilReady(server: ThrowawayServer, child: ChildProcess): Promise<void> {
  const ready = await poll(
    async () => {
      if (child.exitCode !== null) return false;
      const answer = server.query('postgres', (client) => client.query('SELECT 1'));
      return answer.then(
        () => true,
        () => undefined,
      );
    },
    { signal: new AbortController().signal, timeoutMs: readyMs, maxMs: 100 },
  );
  if (ready) return;
  const log = readFileSync(join(server.folder, 'server.log'), 'utf8');
  await end(child);
  throw new Error(`the throwaway server did not start:\n${log}`);
}

/** Fast shutdown; an immediate one where that takes too long. */
async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit', { signal: AbortSignal.timeout(stopMs) });
  server.kill('SIGINT');
  try {
    await ended;
  } catch {
    const gone = once(server, 'exit');
    server.kill('SIGQUIT');
    await gone;
  }
}

/** PostgreSQL refuses to run as root. */
function serverAccount(): { uid?: number; gid?: number } {
  if (!calledByRoot()) return {};
  const account = findAccount('postgres');
  if (account === undefined) throw new Error('tests as root need the account "postgres"');
  return { uid: account.uid, gid: account.gid };
}

/** The programs that the tool would choose for a major; where only npm has that one, a copy within the folder. */
export async function programsIn(folder: string, major: string | number | undefined): Promise<string> {
  const own = { folder: join(folder, 'postgres'), mayCopy: true };
  const wish = { major: major === undefined ? undefined : Number(major) };
  return (await chooseInstallation(wish, own, new AbortController().signal)).bindir;
}

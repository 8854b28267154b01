import { AppError } from '../errors.ts';
import { exists } from '../host/files.ts';
import { commandLine, outputOf } from '../host/processes.ts';
import { type Daemon, findProgram, run, startDaemon } from '../host/programs.ts';
import { poll } from '../host/wait.ts';
import { livePostmaster } from '../postgres/postmaster.ts';
import { stopServer } from '../postgres/server.ts';

/** A server that is not this tool's, and how its own manager starts it. */
export interface OwnServer {
  dataDirectory: string;
  /** Debian's name for it, `15/main`; null for one that was started by hand. */
  cluster: string | null;
  /** Its command line, and where it writes what it says. */
  command: string[];
  output: string;
}

/** The server that runs on a data directory, if one does. */
export function ownServerOn(dataDirectory: string, cluster: string | null): OwnServer | undefined {
  const pid = livePostmaster(dataDirectory)?.pid;
  return pid === undefined ? undefined : { dataDirectory, cluster, command: commandLine(pid), output: outputOf(pid) };
}

/** Stops it in order, by its own manager where it has one (which asks systemd where that runs it). @throws STOP_TIMEOUT */
export async function stopOwnServer(
  { dataDirectory, cluster }: OwnServer,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const running = livePostmaster(dataDirectory);
  if (running === undefined) return;
  if (cluster === null) return await stopServer(running.pid, 'fast', timeoutMs, signal);
  await ctlcluster(cluster, 'stop', timeoutMs, signal);
}

/**
 * Starts it as it was started, until it is there to be seen or has ended; it is given its time to come up by itself. Not
 * sooner: what comes next would take its port for a stranger's.
 */
export async function startOwnServer(server: OwnServer, signal: AbortSignal): Promise<void> {
  const { dataDirectory, cluster, command, output } = server;
  if (livePostmaster(dataDirectory) !== undefined) return;
  if (cluster !== null) return await ctlcluster(cluster, 'start', 120_000, signal);
  const [program = '', ...args] = command;
  if (!exists(program)) throw new AppError('PROGRAM_FAILED', `${program} is not there any more`);
  const daemon = await begin(program, args, output);
  const seen = (): unknown => livePostmaster(dataDirectory) ?? daemon.ended();
  await poll(seen, { signal, timeoutMs: 10_000, minMs: 5 });
}

async function begin(program: string, args: readonly string[], output: string): Promise<Daemon> {
  try {
    return await startDaemon(program, args, output);
  } catch {
    return await startDaemon(program, args, '/dev/null'); // its log is not ours to write to
  }
}

async function ctlcluster(cluster: string, what: 'start' | 'stop', timeoutMs: number, signal: AbortSignal) {
  const program = findProgram('pg_ctlcluster');
  if (program === undefined) {
    throw new AppError('NOT_ADOPTABLE', `pg_ctlcluster is not there to ${what} ${cluster}`, {
      hint: 'install it: apt-get install postgresql-common',
    });
  }
  await run(program, [...cluster.split('/'), what], { signal, timeoutMs, asCaller: true });
}

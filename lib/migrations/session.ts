import { AppError } from '../errors.ts';
import { poll } from '../host/wait.ts';
import { literal, sqlFailed, withClient, type Client, type ConnectOptions } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import type { LockRetry } from './retry.ts';

/** How to reach the database; always the server itself, never a pooler (a session lock strands there). */
export type MigrationConnection = Omit<
  ConnectOptions,
  'signal' | 'timeoutMs' | 'connectTimeoutMs' | 'applicationName' | 'settings'
>;

/** One connection that runs migrations, and how its server process is known. */
export interface Session {
  client: Client;
  pid: number;
  /** Tells a later process of the same pid from ours. */
  startedAt: string;
  serverMajor: number;
}

/** How long an interrupted run waits for the server to let go, in milliseconds. */
const letGoMs = 5000;

/**
 * Settings that hold for the whole session; RESET ALL returns to them. No limit on time but on locks: a waiting ALTER TABLE
 * makes every query behind it wait. Keepalives, so that a vanished client does not keep the lock for two hours
 * (adcontextprotocol/adcp#3509); no idle timeout, which would end the session in silence (skypilot#10251).
 */
export function sessionSettings(lockTimeoutMs: number): Record<string, string | number> {
  return {
    lock_timeout: lockTimeoutMs,
    statement_timeout: 0,
    idle_in_transaction_session_timeout: 0,
    tcp_keepalives_idle: 30,
    tcp_keepalives_interval: 10,
    tcp_keepalives_count: 3,
  };
}

/** Settings that not every server knows, by the first major version that does. */
const newerSettings = [
  { major: 14, setting: 'idle_session_timeout', value: 0 },
  // Notices within a second that the client is gone, also in the middle of a long statement.
  { major: 14, setting: 'client_connection_check_interval', value: 1000 },
  { major: 17, setting: 'transaction_timeout', value: 0 },
];

/** How long reading the history may take, in milliseconds. */
const readTimeoutMs = 30_000;

/** Lends a connection that only reads. @throws SQL_FAILED; what `read` throws of ours */
export async function withReader<T>(
  task: Task,
  connection: MigrationConnection,
  read: (client: Client) => Promise<T>,
): Promise<T> {
  try {
    return await withClient(
      { ...connection, signal: task.signal, timeoutMs: readTimeoutMs, applicationName: 'pg-manage migrate-status' },
      read,
    );
  } catch (error) {
    task.signal.throwIfAborted();
    throw error instanceof AppError
      ? error
      : sqlFailed(`reading the migrations of database "${connection.database}"`, error);
  }
}

/**
 * Lends the one connection of a run. When the run is interrupted, its server process is ended before this returns.
 * @throws SQL_FAILED for the connection and our own statements; the signal's reason; what `work` throws of ours
 */
export async function withSession<T>(
  task: Task,
  connection: MigrationConnection,
  lockRetry: LockRetry,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  let session: Session | undefined;
  try {
    return await withClient(
      {
        ...connection,
        signal: task.signal,
        timeoutMs: 0,
        applicationName: 'pg-manage migrate',
        settings: sessionSettings(lockRetry.timeoutMs),
      },
      async (client) => work((session = await openSession(client))),
    );
  } catch (error) {
    if (task.signal.aborted) {
      if (session !== undefined) await endSession(connection, session);
      throw error;
    }
    throw error instanceof AppError ? error : sqlFailed(`running files in database "${connection.database}"`, error);
  }
}

async function openSession(client: Client): Promise<Session> {
  const { rows } = await client.query<Omit<Session, 'client'>>(
    `SELECT pid, extract(epoch FROM backend_start)::text AS "startedAt",
       current_setting('server_version_num')::int / 10000 AS "serverMajor"
     FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())`,
  );
  return { client, ...(rows[0] as Omit<Session, 'client'>) };
}

/** Takes back the role and the settings that a file has chosen. */
export const resetSession = ['SET SESSION AUTHORIZATION DEFAULT', 'RESET ROLE', 'RESET ALL'];

/**
 * The commit of a file does not wait for the disk; that of its run, after the last, waits for all before it. A server that
 * crashes in between loses the last files with their rows in the history, in the order in which they came: as if the run had
 * ended sooner. (PostgreSQL's documentation, "Asynchronous Commit".)
 */
export const commitSoon = 'SET LOCAL synchronous_commit = off';

/**
 * SQL that makes the session as good as new for the next file, and names it: what a file sets (search_path, a role, a
 * temporary table) must not reach the next one. DISCARD ALL without its end, which would free our advisory lock.
 */
export function freshSession({ serverMajor }: Session, applicationName: string): string[] {
  return [
    ...resetSession,
    'CLOSE ALL',
    'DEALLOCATE ALL',
    'UNLISTEN *',
    'DISCARD TEMP',
    'DISCARD SEQUENCES',
    `SET application_name = ${literal(applicationName)}`,
    ...newerSettings
      .filter(({ major }) => major <= serverMajor)
      .map(({ setting, value }) => `SET ${setting} = ${value}`),
  ];
}

/**
 * Ends the server process of an interrupted run and waits until it is gone, with its lock and its transaction. A destroyed
 * socket alone is not noticed by a server that is in the middle of a statement. Best effort: never throws.
 */
async function endSession(connection: MigrationConnection, { pid, startedAt }: Session): Promise<void> {
  const signal = AbortSignal.timeout(letGoMs);
  const ended = withClient({ ...connection, signal, timeoutMs: letGoMs }, async (client) => {
    await poll(
      async () => {
        const { rowCount } = await client.query(
          `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
           WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $2`,
          [pid, startedAt],
        );
        return rowCount === 0 ? true : undefined;
      },
      { signal, timeoutMs: letGoMs },
    );
  });
  await ended.catch(() => undefined);
}

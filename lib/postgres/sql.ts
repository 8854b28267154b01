import pg from 'pg';
import { AppError } from '../errors.ts';
import { pause } from '../host/wait.ts';

export interface Address {
  /** A socket folder (absolute path) or a host name. */
  host: string;
  port: number;
}

export interface ConnectOptions extends Address {
  database: string;
  user: string;
  password?: string;
  signal: AbortSignal;
  /** How long connecting, and then each statement, may take, in milliseconds; 0 for no limit on statements. */
  timeoutMs: number;
  connectTimeoutMs?: number;
  applicationName?: string;
  /** Server settings for the session, as `options` of libpq gives them. */
  settings?: Record<string, string | number>;
  /** Speaks the replication protocol, with no database: commands like BASE_BACKUP instead of SQL. */
  replication?: boolean;
}

export type Client = pg.Client;
export type Row = Record<string, unknown>;

/**
 * Opens one direct connection, lends it to `work`, and closes it. The signal ends it at once: the socket is destroyed, so
 * that not even a stopped (SIGSTOP) server can hold us.
 * @throws the driver's error of connecting or of a statement; see `sqlState`
 */
export async function withClient<T>(options: ConnectOptions, work: (client: Client) => Promise<T>): Promise<T> {
  const { signal } = options;
  signal.throwIfAborted();
  const client = new pg.Client({
    host: options.host,
    port: options.port,
    database: options.database,
    user: options.user,
    // An empty password keeps the driver from looking into PGPASSWORD and ~/.pgpass.
    password: options.password ?? '',
    application_name: options.applicationName ?? 'pg-manage',
    connectionTimeoutMillis: options.connectTimeoutMs ?? Math.min(options.timeoutMs || 10_000, 10_000),
    ...(options.timeoutMs > 0 ? { query_timeout: options.timeoutMs } : {}),
    keepAlive: true,
    ssl: false,
    ...(options.replication === true ? { replication: 'true' } : {}),
    options: Object.entries(options.settings ?? {})
      .map(([name, value]) => `-c ${name}=${String(value).replaceAll(/([\\ ])/g, '\\$1')}`)
      .join(' '),
  });
  // A connection that breaks between statements is told by the next statement.
  client.on('error', () => undefined);
  const stream = (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
  const cut = (): void => stream.destroy();
  signal.addEventListener('abort', cut, { once: true });
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', cut);
    await close(client, cut);
  }
}

async function close(client: Client, cut: () => void): Promise<void> {
  const ended = new AbortController();
  const end = client.end().then(
    () => ended.abort(),
    () => ended.abort(),
  );
  await Promise.race([end, pause(1000, ended.signal).catch(() => undefined)]);
  cut();
}

/** The five characters of SQLSTATE when the server said no, else undefined. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** What the server said when it said no, as its log has it, else undefined. */
export function refusalWords(error: unknown): string | undefined {
  if (!(error instanceof pg.DatabaseError)) return undefined;
  const { severity, message, detail } = error;
  return `${severity}:  ${message}\n${detail ? `DETAIL:  ${detail}\n` : ''}`;
}

/** Quotes an identifier for use in SQL text. */
export function identifier(name: string): string {
  return pg.escapeIdentifier(name);
}

/** Quotes a literal for use in SQL text. */
export function literal(value: string): string {
  return pg.escapeLiteral(value);
}

/** A failed statement as an AppError that shows the server's own words. */
export function sqlFailed(what: string, error: unknown): AppError {
  const { message, detail, hint } = error as pg.DatabaseError;
  const state = sqlState(error);
  return new AppError('SQL_FAILED', `${what}: ${message}${state ? ` (SQLSTATE ${state})` : ''}`, {
    ...(hint ? { hint } : {}),
    ...(detail ? { output: detail } : {}),
    cause: error,
  });
}

import { AppError } from '../errors.ts';
import { superuser } from '../postgres/initdb.ts';
import { type Client, type ConnectOptions, sqlState, withClient } from '../postgres/sql.ts';
import { passwordOf } from './passwords.ts';
import type { InstancePaths } from './places.ts';
import type { InstanceRecord } from './record.ts';

/** The address that clients use. */
export const clientHost = '127.0.0.1';

/** As the superuser over the private socket: needs no password, and finds a slot when clients have taken all others. */
export function asSuperuser(paths: InstancePaths, record: Pick<InstanceRecord, 'port'>, database = 'postgres') {
  return { host: paths.socket, port: record.port, user: superuser, database };
}

/** As the instance's own role, the way its clients come. */
export function asRole(paths: InstancePaths, record: InstanceRecord) {
  const { port, role: user, database } = record;
  return { host: clientHost, port, user, database, password: passwordOf(paths, record, record.role) };
}

/** Asks the server which database system it is (pg_control_system, PostgreSQL's documentation, "Control Data Functions"). */
export async function serverIdentity(client: Client): Promise<string> {
  const { rows } = await client.query<{ id: string }>('select system_identifier::text as id from pg_control_system()');
  return rows[0]?.id ?? '';
}

/** The shared memory that a running server takes, by its own word, in bytes; undefined before PostgreSQL 15. */
export async function askSharedMemory(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ bytes: string | null }>(
    `select pg_size_bytes(current_setting('shared_memory_size', true))::text as bytes`,
  );
  const text = rows[0]?.bytes ?? null;
  return text === null ? undefined : Number(text);
}

/**
 * Proves that the server behind an address is this instance, by its system identifier.
 * @throws WRONG_SERVER when another one answers there
 */
export async function assertIdentity(options: ConnectOptions, record: InstanceRecord): Promise<void> {
  const identity = await withClient(options, serverIdentity);
  if (identity === record.systemIdentifier) return;
  throw new AppError('WRONG_SERVER', `another server (system ${identity}) answers at ${options.host}:${options.port}`, {
    hint: `instance ${record.name} is system ${record.systemIdentifier}; see who listens with: ss -ltnp 'sport = :${options.port}'`,
  });
}

/** True for the answers that mean "the server is there, but not for this role and password". */
export function isRefusedLogin(error: unknown): boolean {
  return ['28P01', '28000', '3D000'].includes(sqlState(error) ?? '');
}

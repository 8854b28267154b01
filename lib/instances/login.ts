import { superuser } from '../postgres/initdb.ts';
import { asSuperuser, clientHost } from './connection.ts';
import { passwordOf } from './passwords.ts';
import type { InstancePaths } from './places.ts';
import type { InstanceRecord } from './record.ts';

/** All that a client needs. Holds a password: only for actions whose purpose is to give it. */
export interface Login {
  host: string;
  port: number;
  database: string;
  username: string;
  password: string;
  url: string;
}

/** @throws USAGE when the role's password is not known here */
export function loginOf(
  paths: InstancePaths,
  record: InstanceRecord,
  {
    username = record.role,
    database = record.database,
    port = record.port,
  }: { username?: string | undefined; database?: string | undefined; port?: number } = {},
): Login {
  const password = passwordOf(paths, record, username);
  return loginAt({ port, database, username }, password);
}

export function loginAt(
  { port, database, username }: Pick<Login, 'port' | 'database' | 'username'>,
  password: string,
): Login {
  const part = encodeURIComponent;
  const url = `postgresql://${part(username)}:${part(password)}@${clientHost}:${port}/${part(database)}`;
  return { host: clientHost, port, database, username, password, url };
}

/** What programs read: libpq's PG… variables (PostgreSQL's documentation, "Environment Variables") and DATABASE_URL. */
export function loginEnvironment({ host, port, database, username, password, url }: Login): Record<string, string> {
  return {
    DATABASE_URL: url,
    PGHOST: host,
    PGPORT: String(port),
    PGDATABASE: database,
    PGUSER: username,
    PGPASSWORD: password,
  };
}

/**
 * What psql reads to log in as a role; as the superuser over the socket, by the operating system's word.
 * @throws USAGE when the role's password is not known here
 */
export function clientEnvironment(
  paths: InstancePaths,
  record: InstanceRecord,
  who: { username?: string | undefined; database?: string | undefined },
): Record<string, string> {
  if (who.username !== superuser) return loginEnvironment(loginOf(paths, record, who));
  const { host, port, user, database } = asSuperuser(paths, record, who.database ?? record.database);
  return { PGHOST: host, PGPORT: String(port), PGDATABASE: database, PGUSER: user };
}

/** A value of a .env file as a shell reads it too. */
export function quoteForEnvironment(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

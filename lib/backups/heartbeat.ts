import { segmentBefore } from '../postgres/segment-before.ts';
import type { Client } from '../postgres/sql.ts';
import { receivedAt } from './stream.ts';

/** One row that tells when it was written: whoever reads it in a copy knows up to when the copy goes. */
export interface Heartbeat {
  /** ISO-8601 UTC with microseconds, by the server's clock. */
  writtenAt: string;
  /** The WAL segment that its commit ends in. */
  segment: string;
  /** When a receiver had its commit in the repository, by the server's clock; undefined where nobody receives. */
  receivedAt?: string | undefined;
}

const moment = `to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/**
 * Writes the heartbeat, in a schema of ours in the database `postgres`: the client's database is left alone.
 * @param client connected to `postgres` as the superuser
 */
export async function writeHeartbeat(client: Client, signal: AbortSignal): Promise<Heartbeat> {
  // A client's synchronous standby, or a default of the database, must not hold this up.
  await client.query('set synchronous_commit = local; set default_transaction_read_only = off');
  if (!(await isThere(client))) {
    await client.query(
      `create schema if not exists pgmanage;
       create table if not exists pgmanage.heartbeat (one bool primary key default true check (one), at timestamptz not null);
       comment on schema pgmanage is 'pg-manage: written before each backup, and read back in its test restore'`,
    );
  }
  const { rows } = await client.query<{ at: string }>(
    `insert into pgmanage.heartbeat as heartbeat (at) values (clock_timestamp())
     on conflict (one) do update set at = excluded.at returning ${moment} as at`,
  );
  const segment = await segmentBefore(client, 'pg_current_wal_lsn()');
  const { rows: here } = await client.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
  const received = await receivedAt(client, here[0]?.lsn ?? '', signal);
  return { writtenAt: rows[0]?.at ?? '', segment, receivedAt: received };
}

/** When the newest heartbeat that a server knows of was written; undefined when it knows of none. */
export async function readHeartbeat(client: Client): Promise<string | undefined> {
  if (!(await isThere(client))) return undefined;
  const { rows } = await client.query<{ at: string }>(`select ${moment} as at from pgmanage.heartbeat`);
  return rows[0]?.at;
}

async function isThere(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    `select to_regclass('pgmanage.heartbeat') is not null as there`,
  );
  return rows[0]?.there ?? false;
}

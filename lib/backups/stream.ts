import { poll } from '../host/wait.ts';
import { receiverRole } from '../instances/configure.ts';
import type { Client } from '../postgres/sql.ts';

/** What a server says of the slot that its WAL is received through. */
export interface Stream {
  /** Whether somebody receives, and has all but what was written just now. */
  streaming: boolean;
  /** From what the receiver has synced to where the server writes; null where nobody receives. */
  lagBytes: number | null;
  /** WAL that the server keeps for the slot; null where it has lost it. */
  keptBytes: number | null;
  /** How much it may keep (max_slot_wal_keep_size); null without a limit. */
  capBytes: number | null;
  /** True where more was needed than it may keep: nothing can be received through this slot any more. */
  lost: boolean;
}

/** Asks for the slot of the receiver; undefined where there is none. */
export async function askStream(client: Client): Promise<Stream | undefined> {
  const { rows } = await client.query<Stream>(
    `select coalesce(r.state = 'streaming' and r.flush_lsn is not null, false) as streaming,
            greatest(pg_wal_lsn_diff(here, r.flush_lsn), 0)::float8 as "lagBytes",
            pg_wal_lsn_diff(here, s.restart_lsn)::float8 as "keptBytes",
            nullif(pg_size_bytes(current_setting('max_slot_wal_keep_size')), -1)::float8 as "capBytes",
            coalesce(s.wal_status = 'lost', false) as lost
       from pg_replication_slots s left join pg_stat_replication r on r.pid = s.active_pid,
            lateral (select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as here) w
      where s.slot_name = $1`,
    [receiverRole],
  );
  return rows[0];
}

/**
 * When the receiver had synced all WAL up to a position, by the server's clock, as ISO-8601 UTC with microseconds; undefined where
 * nobody receives, or not within a few seconds.
 */
export async function receivedAt(client: Client, lsn: string, signal: AbortSignal): Promise<string | undefined> {
  const isThere = async (): Promise<string | undefined> => {
    const { rows } = await client.query<{ at: string }>(
      `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
         from pg_replication_slots s join pg_stat_replication r on r.pid = s.active_pid
        where s.slot_name = $1 and r.flush_lsn >= $2::pg_lsn`,
      [receiverRole, lsn],
    );
    return rows[0]?.at;
  };
  if ((await askStream(client))?.streaming !== true) return undefined;
  return await poll(isThere, { signal, timeoutMs: 5000, minMs: 2, maxMs: 50 });
}

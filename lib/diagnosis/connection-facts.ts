import type { Client, Row } from '../postgres/sql.ts';
import type { Clients, ConnectionFacts, IdleSession } from './connections.ts';

/** Asks who has a server's connections; the asking session itself is left out. @throws the driver's error */
export async function askConnections(
  client: Client,
): Promise<Pick<ConnectionFacts, 'used' | 'max' | 'reserved' | 'idleLimitMs' | 'clients' | 'idle'>> {
  const [limits] = await rowsOf<{ max: number; reserved: number; idleLimitMs: number }>(
    client,
    `select current_setting('max_connections')::int as max,
            (select sum(setting::int) from pg_settings
              where name in ('superuser_reserved_connections', 'reserved_connections'))::int as reserved,
            (select setting::int from pg_settings
              where name = 'idle_in_transaction_session_timeout') as "idleLimitMs"`,
  );
  const clients = await rowsOf<Clients & Row>(
    client,
    `select coalesce(usename, '?') as user, application_name as application, coalesce(state, '?') as state,
            count(*)::int as count,
            max(extract(epoch from clock_timestamp() - coalesce(state_change, backend_start)))::float8 as "oldestSeconds"
       from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
      group by 1, 2, 3 order by 4 desc, 5 desc`,
  );
  const idle = await rowsOf<IdleSession & Row>(
    client,
    `select pid, coalesce(usename, '?') as user, application_name as application,
            extract(epoch from clock_timestamp() - state_change)::float8 as seconds
       from pg_stat_activity where state like 'idle in transaction%' order by 4 desc`,
  );
  return {
    used: clients.reduce((sum, { count }) => sum + count, 0),
    max: limits?.max ?? 0,
    reserved: limits?.reserved ?? 0,
    idleLimitMs: limits?.idleLimitMs ?? 0,
    clients,
    idle,
  };
}

async function rowsOf<T extends Row>(client: Client, sql: string): Promise<T[]> {
  return (await client.query<T>(sql)).rows;
}

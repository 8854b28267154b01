import { askStream } from '../backups/stream.ts';
import { asSuperuser } from '../instances/connection.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { type Client, type Row, withClient } from '../postgres/sql.ts';
import type { ArchiverFacts } from './archive.ts';
import { askConnections } from './connection-facts.ts';
import type { ServerFacts } from './server.ts';

/** How long a server may think about one question. */
const limitMs = 2000;

/** Asks over the socket as the superuser, for whom slots are kept. @throws the driver's error when it does not answer in time */
export async function askServer(
  places: Places,
  record: InstanceRecord,
  signal: AbortSignal,
): Promise<{ server: ServerFacts; archiver: ArchiverFacts }> {
  const address = asSuperuser(instancePaths(places, record.name), record);
  const settings = { statement_timeout: limitMs };
  return await withClient({ ...address, signal, timeoutMs: limitMs, settings }, async (client) => {
    const server = await askSessions(client, record, address);
    return { server, archiver: await askArchiver(client) };
  });
}

async function rowsOf<T extends Row>(client: Client, sql: string): Promise<T[]> {
  return (await client.query<T>(sql)).rows;
}

async function askSessions(
  client: Client,
  { name, pooler }: InstanceRecord,
  { host, port }: ServerFacts['address'],
): Promise<ServerFacts> {
  const connections = await askConnections(client);
  const pending = await rowsOf<{ name: string }>(
    client,
    'select name from pg_settings where pending_restart order by name',
  );
  const configurationErrors = await askConfiguration(client);
  const checksums = await rowsOf<{ database: string; failures: number }>(
    client,
    `select coalesce(datname, 'shared tables') as database, checksum_failures::int as failures
       from pg_stat_database where checksum_failures > 0`,
  );
  return {
    ...connections,
    name,
    address: { host, port },
    hasPooler: pooler !== undefined,
    pendingRestart: pending.map((row) => row.name),
    configurationErrors,
    checksumFailures: checksums,
  };
}

/** What waits for a restart has an error here, too, which is none: without a file, where it was taken out of one. */
async function askConfiguration(client: Client): Promise<{ file: string; line: number; error: string }[]> {
  return await rowsOf(
    client,
    `select f.sourcefile as file, f.sourceline as line, concat_ws(': ', f.name, f.error) as error
       from pg_file_settings f left join pg_settings s on lower(s.name) = lower(f.name)
      where f.error is not null and f.sourcefile is not null and not (f.error = 'setting could not be applied' and s.context = 'postmaster')
      union all
     select current_setting('hba_file'), line_number, error from pg_hba_file_rules where error is not null`,
  );
}

async function askArchiver(client: Client): Promise<ArchiverFacts> {
  const [archiver] = await rowsOf<Record<keyof ArchiverFacts, never>>(
    client,
    `select current_setting('archive_mode') as mode,
            last_archived_wal as "lastArchived", extract(epoch from last_archived_time)::float8 * 1000 as "archivedMs",
            last_failed_wal as "lastFailed", extract(epoch from last_failed_time)::float8 * 1000 as "failedMs",
            failed_count::int as failures,
            case when not pg_is_in_recovery() then pg_current_wal_lsn()::text end as "currentLsn",
            case when not pg_is_in_recovery() then substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end as timeline
       from pg_stat_archiver`,
  );
  return { ...(archiver as unknown as ArchiverFacts), stream: await askStream(client) };
}

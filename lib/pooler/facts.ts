import { readSystemFile } from '../host/inspect.ts';
import { asSuperuser } from '../instances/connection.ts';
import type { InstancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { withClient } from '../postgres/sql.ts';
import type { PoolerFacts } from './plan.ts';

/** Asks the running server what a plan rests on. @throws the driver's error */
export async function askFacts(
  paths: InstancePaths,
  record: InstanceRecord,
  version: string,
  signal: AbortSignal,
): Promise<PoolerFacts> {
  const address = { ...asSuperuser(paths, record), signal, timeoutMs: 10_000 };
  return await withClient(address, async (client) => {
    const { rows } = await client.query<Pick<PoolerFacts, 'maxConnections' | 'reserved' | 'databases'>>(
      `select current_setting('max_connections')::int as "maxConnections",
              (select sum(setting::int) from pg_settings
                where name in ('superuser_reserved_connections', 'reserved_connections'))::int as reserved,
              array(select datname::text from pg_database
                     where datallowconn and not datistemplate and datname <> 'postgres'
                     order by datname <> $1, datname) as databases`,
      [record.database],
    );
    const [limits] = rows;
    if (limits === undefined) throw new Error('the server does not say how many connections it allows');
    return { ...limits, version, openFiles: openFiles() };
  });
}

/** How many files a process that we start may have open; what POSIX grants where this system does not tell. */
function openFiles(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readSystemFile('/proc/self/limits') ?? '')?.[1] ?? 256);
}

import { join } from 'node:path';
import { readText } from '../../host/files.ts';
import { ensureFolder } from '../../host/folders.ts';
import { writeFileForGood } from '../../host/for-good.ts';
import { type DumpPrograms, entriesWithoutRefresh, restoreDatabase } from '../../postgres/dump.ts';
import { type Client, type ConnectOptions, identifier, literal, withClient } from '../../postgres/sql.ts';
import type { Task } from '../../task.ts';
import type { Dump, DumpedDatabase } from './catalogue.ts';
import { elsewhere, maintenance } from './maintenance.ts';
import { applyRoles, planRoles, type PresentRoles } from './roles.ts';

export interface Filling {
  programs: DumpPrograms;
  /** Where the dump's files are. */
  folder: string;
  /** A superuser's way to the server, in the database `postgres`. */
  server: ConnectOptions;
  /** Holds tablespaces that the server has not. */
  tablespaces: string;
  /** Set for a trial: materialized views of databases with foreign tables stay empty, as no foreign server is to be asked. */
  entriesFile?: string;
}

/** Makes what the databases of a dump need: its roles, and tablespaces of the names it knows. @throws the driver's error */
export async function prepareServer(dump: Dump, filling: Filling, roles: PresentRoles): Promise<void> {
  const script = readText(join(filling.folder, dump.rolesFile)) ?? '';
  await withClient(filling.server, async (client) => {
    await applyRoles(client, planRoles(script, roles));
    await makeTablespaces(client, dump.tablespaces, filling.tablespaces);
  });
}

async function makeTablespaces(client: Client, names: readonly string[], folder: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>('select spcname as name from pg_tablespace');
  for (const name of names.filter((one) => !rows.some((row) => row.name === one))) {
    const location = join(folder, encodeURIComponent(name));
    ensureFolder(location);
    await client.query(`create tablespace ${identifier(name)} location ${literal(location)}`);
  }
}

/** Makes one database of a dump on a new server. @throws PROGRAM_FAILED */
export async function makeDatabase(
  task: Task,
  dump: Dump,
  { programs, folder, server, entriesFile }: Filling,
  { name, file, schemaFile, census }: DumpedDatabase,
): Promise<void> {
  const { signal } = task;
  await task.step(`restore ${name}`, async () => {
    if (name === maintenance) await dropMaintenance(server);
    const whole = join(folder, schemaFile ?? file);
    const listFile = asksOthers(census) ? entriesFile : undefined;
    if (listFile !== undefined) writeFileForGood(listFile, await entriesWithoutRefresh(programs, whole, signal));
    const made = {
      file: whole,
      database: undefined,
      part: 'all',
      atomic: false,
      ...(listFile && { listFile }),
    } as const;
    await restoreDatabase(programs, server, made, signal);
    if (dump.type !== 'data') return;
    const rows = { file: join(folder, file), database: name, part: 'data', atomic: true } as const;
    await restoreDatabase(programs, server, rows, signal);
  });
}

/** Every new server has it, and there is nothing in it yet. */
async function dropMaintenance(server: ConnectOptions): Promise<void> {
  await withClient({ ...server, database: elsewhere(maintenance) }, async (client) => {
    await client.query(`drop database ${identifier(maintenance)} with (force)`);
  });
}

/** Whether a database may have to ask other servers for its rows. */
export function asksOthers({ objects }: DumpedDatabase['census']): boolean {
  return (objects['foreign tables'] ?? 0) > 0;
}

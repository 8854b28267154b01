import { join } from 'node:path';
import { AppError } from '../../errors.ts';
import { timestampId } from '../../host/clock.ts';
import { ensureFolder, makeFolder, removeFolder } from '../../host/folders.ts';
import { writeFileForGood } from '../../host/for-good.ts';
import { asSuperuser } from '../../instances/connection.ts';
import { homeOf } from '../../instances/home.ts';
import { instancePaths } from '../../instances/places.ts';
import type { InstanceRecord } from '../../instances/record.ts';
import type { Operation } from '../../operation.ts';
import { databaseStatements, dumpPrograms, restoreDatabase } from '../../postgres/dump.ts';
import type { Installation } from '../../postgres/installations.ts';
import { type Client, type ConnectOptions, identifier, withClient } from '../../postgres/sql.ts';
import type { Task } from '../../task.ts';
import { askingSettings } from '../isolation.ts';
import { scratchFolder } from '../scratch.ts';
import { type Dump, type DumpedDatabase, dumpFolder } from './catalogue.ts';
import { type Filling, prepareServer } from './fill.ts';
import { elsewhere } from './maintenance.ts';
import { rolesOf } from './roles.ts';
import { renamed } from './renamed.ts';
import { type Swap, swapDatabase } from './swap.ts';

export interface RestoredDatabase {
  name: string;
  /** What the database that had the name is called now; null where there was none, or rows were added to it. */
  aside: string | null;
}

const limitMs = 24 * 60 * 60 * 1000;

/**
 * Puts the databases of a dump into a running instance. Each is restored under another name while the one it replaces still
 * serves; when all are whole, they change names. Nothing is dropped. Roles that are there stay as they are. Rows alone go into
 * the tables that are there, all of a database's or none.
 * @throws RESTORE_FAILED, NO_PG_DUMP, PROGRAM_FAILED; the instance is then as it was, but for roles that it had not
 */
export async function restoreDumpInPlace(
  operation: Operation,
  installation: Installation,
  record: InstanceRecord,
  dump: Dump,
): Promise<RestoredDatabase[]> {
  const { places, task } = operation;
  const paths = instancePaths(places, record.name);
  const address = { ...asSuperuser(paths, record), signal: task.signal, timeoutMs: limitMs };
  const server: ConnectOptions = { ...address, settings: askingSettings };
  const filling: Filling = {
    programs: dumpPrograms(installation),
    folder: dumpFolder(places, dump.instance.name, dump.id),
    server,
    tablespaces: join(homeOf(places, paths).tablespaces, timestampId()),
  };
  if (dump.type === 'data') return await addRows(task, dump, filling);
  const there = await withClient(server, rolesOf);
  await prepareServer(dump, filling, { present: there, untouched: there });
  return await replaceDatabases(operation, record, dump, filling);
}

async function replaceDatabases(
  operation: Operation,
  record: InstanceRecord,
  dump: Dump,
  filling: Filling,
): Promise<RestoredDatabase[]> {
  const { journal } = operation;
  const scratch = scratchFolder(operation, 'restore');
  journal.intend({ kind: 'folder', path: scratch });
  ensureFolder(operation.places.scratch);
  makeFolder(scratch);
  const swaps: Swap[] = [];
  for (const database of dump.databases) {
    const there = await exists(filling.server, database.name);
    const planned = planSwap(database.name, there, journal.id, timestampId());
    // A restore that was cut short in this very second may have taken the name.
    const taken = planned.aside !== null && (await exists(filling.server, planned.aside));
    const swap = taken
      ? planSwap(database.name, there, journal.id, timestampId(), `_${journal.id.slice(0, 4)}`)
      : planned;
    journal.intend({ kind: 'database', instance: record.name, ...swap });
    await makeFresh(operation.task, filling, { database, swap, scratch });
    swaps.push(swap);
  }
  for (const swap of swaps) {
    const server = { ...filling.server, database: elsewhere(swap.name) };
    await withClient(server, async (client) => await swapDatabase(client, swap, operation.task.signal));
  }
  journal.settle({ kind: 'folder', path: scratch });
  await removeFolder(scratch);
  return swaps.map(({ name, aside }) => ({ name, aside }));
}

/** Names are cut at 63 bytes by the server, silently. Pure. */
export function planSwap(name: string, there: boolean, journalId: string, at: string, suffix = ''): Swap {
  const moment = at.replaceAll(/\D/g, '');
  return {
    name,
    fresh: `${cut(name, 40)}_restoring_${journalId.slice(0, 8)}`,
    aside: there ? `${cut(name, 40 - suffix.length)}_before_${moment}${suffix}` : null,
  };
}

function cut(name: string, bytes: number): string {
  // A character that is cut in two reads as the sign for a broken one.
  return Buffer.from(name)
    .subarray(0, bytes)
    .toString()
    .replace(/\uFFFD+$/, '');
}

async function exists(server: ConnectOptions, database: string): Promise<boolean> {
  return await withClient(server, async (client) => {
    const { rows } = await client.query('select from pg_database where datname = $1', [database]);
    return rows.length > 0;
  });
}

interface Fresh {
  database: DumpedDatabase;
  swap: Swap;
  scratch: string;
}

async function makeFresh(task: Task, filling: Filling, { database, swap, scratch }: Fresh): Promise<void> {
  const { programs, folder, server } = filling;
  const file = join(folder, database.file);
  const path = join(scratch, 'entries');
  const listFile = { path, write: (text: string) => writeFileForGood(path, text) };
  await task.step(`restore ${database.name}`, async () => {
    const script = await databaseStatements(programs, file, listFile, task.signal);
    await withClient(server, async (client) => {
      for (const statement of renamed(script, swap.fresh)) await client.query(statement);
    });
    await restoreDatabase(programs, server, { file, database: swap.fresh, part: 'all', atomic: false }, task.signal);
  });
}

async function addRows(task: Task, dump: Dump, { programs, folder, server }: Filling): Promise<RestoredDatabase[]> {
  for (const database of dump.databases) {
    await withClient({ ...server, database: database.name }, async (client) => await assertEmpty(client, database));
  }
  for (const { name, file } of dump.databases) {
    const rows = { file: join(folder, file), database: name, part: 'data', atomic: true } as const;
    await task.step(`rows of ${name}`, async () => await restoreDatabase(programs, server, rows, task.signal));
  }
  return dump.databases.map(({ name }) => ({ name, aside: null }));
}

/** Rows beside other rows would be twice there, or half. @throws RESTORE_FAILED naming the table */
async function assertEmpty(client: Client, { name: database, census }: DumpedDatabase): Promise<void> {
  for (const { schema, name } of census.tables.filter(({ rows }) => rows > 0)) {
    const table = `${schema}.${name}`;
    const { rows } = await client.query<{ id: number | null }>('select to_regclass($1)::oid::int8::float8 as id', [
      `${identifier(schema)}.${identifier(name)}`,
    ]);
    if ((rows[0]?.id ?? null) === null) {
      throw new AppError('RESTORE_FAILED', `database ${database} has no table ${table} to put rows into`, {
        hint: 'make the tables first: restore a dump of type schema, or migrate',
      });
    }
    const filled = await client.query(`select from only ${identifier(schema)}.${identifier(name)} limit 1`);
    if (filled.rows.length === 0) continue;
    throw new AppError('RESTORE_FAILED', `table ${table} of database ${database} holds rows already`, {
      hint: 'rows alone go into empty tables: restore a dump of type schema first, which puts the database aside',
    });
  }
}

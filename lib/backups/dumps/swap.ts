import { AppError } from '../../errors.ts';
import { asSuperuser } from '../../instances/connection.ts';
import { parseName } from '../../instances/names.ts';
import { instancePaths } from '../../instances/places.ts';
import { readRecord } from '../../instances/record.ts';
import { observe } from '../../instances/state.ts';
import type { Operation } from '../../operation.ts';
import { poll } from '../../host/wait.ts';
import { type Client, identifier, sqlState, withClient } from '../../postgres/sql.ts';
import { elsewhere, maintenance } from './maintenance.ts';

/** A database that takes the place of another. */
export interface Swap {
  name: string;
  /** What the new one is called until then: a name that nobody else gives. */
  fresh: string;
  /** What the old one is called from then on; null where there is none. */
  aside: string | null;
}

/** Long enough for sessions to end that were told to. */
const patienceMs = 30_000;

/** Ends the sessions of the old database, keeps new ones out, and gives its name to the new one. @throws RESTORE_FAILED */
export async function swapDatabase(client: Client, { name, fresh, aside }: Swap, signal: AbortSignal): Promise<void> {
  if (aside !== null) {
    await client.query(`alter database ${identifier(name)} with allow_connections false`);
    const gone = await poll(async () => await tryRename(client, name, aside), { signal, timeoutMs: patienceMs });
    if (gone === undefined) {
      throw new AppError('RESTORE_FAILED', `database ${name} is in use, and its sessions do not end`, {
        hint: `see them with: select * from pg_stat_activity where datname = '${name}'`,
      });
    }
  }
  await client.query(`alter database ${identifier(fresh)} rename to ${identifier(name)}`);
  if (aside !== null) await client.query(`alter database ${identifier(aside)} with allow_connections true`);
}

async function tryRename(client: Client, name: string, to: string): Promise<true | undefined> {
  await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
  try {
    await client.query(`alter database ${identifier(name)} rename to ${identifier(to)}`);
    return true;
  } catch (error) {
    if (sqlState(error) === '55006') return undefined; // somebody is still in it
    throw error;
  }
}

/** Takes a swap back that did not come to its end; one that did stays. */
export async function undoSwap(
  { places, task }: Pick<Operation, 'places' | 'task'>,
  { instance, name, fresh, aside }: Swap & { instance: string },
): Promise<void> {
  const record = readRecord(places, parseName(instance));
  if (record === undefined) return;
  const paths = instancePaths(places, record.name);
  if (observe(paths, record).state !== 'running') {
    const old = aside === null ? '' : `; ${name} may be called ${aside}`;
    task.warn(`${instance} is not running: database ${fresh}, never finished, is left in it${old}`);
    return;
  }
  // It has to be done, whatever ended the operation; the database postgres may be the one that has no name yet.
  const database = elsewhere(maintenance);
  const address = { ...asSuperuser(paths, record, database), signal: new AbortController().signal, timeoutMs: 60_000 };
  await withClient(address, async (client) => {
    const has = async (database: string): Promise<boolean> =>
      (await client.query('select from pg_database where datname = $1', [database])).rows.length > 0;
    if (aside !== null && (await has(aside)) && !(await has(name))) {
      await client.query(`alter database ${identifier(aside)} rename to ${identifier(name)}`);
    }
    // Nobody was let in while names changed; a database that lets nobody in by its owner's will is in no dump.
    for (const one of aside === null ? [] : [name, aside]) {
      if (await has(one)) await client.query(`alter database ${identifier(one)} with allow_connections true`);
    }
    await client.query(`drop database if exists ${identifier(fresh)} with (force)`);
  });
}

import { randomBytes } from 'node:crypto';
import { listBackups } from '../backups/catalogue.ts';
import { addRestorePoint } from '../backups/restore-points.ts';
import { nowIso } from '../host/clock.ts';
import { asSuperuser } from '../instances/connection.ts';
import type { InstanceName } from '../instances/names.ts';
import { sqlState, withClient } from '../postgres/sql.ts';
import type { Context, Text } from './action.ts';
import { makePoint } from './restore-point.ts';
import { openInstance } from './shared.ts';

/** How long making a restore point may take, in milliseconds: it writes one record. */
const pointTimeoutMs = 10_000;

/** What every run that changes a database is told beside its files. */
export function runRequest(context: Context, name: InstanceName, action: string) {
  const { lockTimeoutMs, toolVersion } = context;
  return { lockTimeoutMs, toolVersion, restorePoint: async () => pointBefore(context, name, action) };
}

/** How to undo a run: by its restore point, where there is a backup to go there from. */
export function wayBack({ places }: Context, name: InstanceName, restorePoint: string | null): Text[] {
  if (restorePoint === null || !listBackups(places, name).some(({ state }) => state !== 'failed')) return [];
  return [{ line: `the whole instance as it was before: ./manage.ts restore ${name} --to-name ${restorePoint}` }];
}

/** Names this moment; where the server cannot (wal_level minimal), a warning says so, and the run is not held up. */
async function pointBefore(context: Context, instance: InstanceName, action: string): Promise<string | undefined> {
  const { places, task } = context;
  const { record, paths } = openInstance(context, instance);
  const at = nowIso();
  const stamp = at.slice(0, 19).replaceAll(/[-:]/g, '');
  const name = `before-${action}-${stamp}Z-${randomBytes(2).toString('hex')}`;
  const address = { ...asSuperuser(paths, record), signal: task.signal, timeoutMs: pointTimeoutMs };
  try {
    const lsn = await withClient(address, async (client) => makePoint(client, name));
    addRestorePoint(places, record.name, { name, lsn, at, instanceId: record.id });
    return name;
  } catch (error) {
    if (sqlState(error) === undefined) throw error;
    task.warn(`no restore point before this run: ${(error as Error).message}`);
    return undefined;
  }
}

import { randomBytes } from 'node:crypto';
import { chooseRestore } from '../backups/choose-restore.ts';
import { addRestorePoint } from '../backups/restore-points.ts';
import { AppError } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import { callerName } from '../host/users.ts';
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
  const restorePoint = async (): Promise<string | undefined> => pointBefore(context, name, action);
  return { lockTimeoutMs, toolVersion, what: action, caller: callerName(), restorePoint };
}

/** How to have the whole instance as it was before a run. */
interface WayBack {
  command: string;
  /** What that would begin from. */
  backupId: string;
}

/**
 * Does a run, and says how to undo it as a whole: where it ends well, and where it fails after some of its files.
 * @throws what it throws
 */
export async function withWayBack<T extends { restorePoint: string | null }>(
  context: Context,
  name: InstanceName,
  action: string,
  run: (request: ReturnType<typeof runRequest>) => Promise<T>,
): Promise<{ result: T & { wayBack: WayBack | null }; text: Text[] }> {
  try {
    const result = await run(runRequest(context, name, action));
    const wayBack = findWayBack(context, name, result.restorePoint);
    const lines =
      wayBack !== null
        ? [`the whole instance as it was before, from backup ${wayBack.backupId}:`, `  ${wayBack.command}`]
        : result.restorePoint !== null
          ? [`no backup leads back to before this; take one for the next time: ./manage.ts backup ${name}`]
          : [];
    return { result: { ...result, wayBack }, text: lines.map((line) => ({ line })) };
  } catch (error) {
    throw error instanceof AppError ? tellingWayBack(context, name, error) : error;
  }
}

function tellingWayBack(context: Context, name: InstanceName, error: AppError): AppError {
  const {
    applied = [],
    undone = [],
    restorePoint = null,
  } = (error.data ?? {}) as {
    applied?: unknown[];
    undone?: unknown[];
    restorePoint?: string | null;
  };
  const wayBack = applied.length + undone.length === 0 ? null : findWayBack(context, name, restorePoint);
  if (wayBack === null) return error;
  const { code, message, hint, output, cause, data } = error;
  const undo = `to undo what this run had done before, the whole instance as it was: ${wayBack.command}`;
  return new AppError(code, message, {
    hint: hint === undefined ? undo : `${hint}; ${undo}`,
    output,
    cause,
    data: { ...data, wayBack },
  });
}

/** By the run's restore point, where a backup leads there. @param restorePoint null where none was made */
function findWayBack({ places }: Context, name: InstanceName, restorePoint: string | null): WayBack | null {
  if (restorePoint === null) return null;
  const target = { kind: 'name', name: restorePoint } as const;
  try {
    const { plan } = chooseRestore(places, name, { target, backupId: undefined, timeline: undefined, beside: false });
    return { command: `./manage.ts restore ${name} --to-name ${restorePoint}`, backupId: plan.backup.id };
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
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

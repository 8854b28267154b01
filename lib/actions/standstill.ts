import { join } from 'node:path';
import { startCompanions, stopCompanions } from './companions.ts';
import { AppError } from '../errors.ts';
import { exists } from '../host/files.ts';
import { startInstance } from '../instances/lifecycle.ts';
import { instancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { observe } from '../instances/state.ts';
import { stopInstance } from '../instances/stop.ts';
import { archiveFolderOf } from '../backups/repository.ts';
import type { Installation } from '../postgres/installations.ts';
import type { Context } from './action.ts';
import { defaultTimeoutMs } from './shared.ts';

/** For what can only be done to an instance that stands still: whether it runs now. @throws INSTANCE_BROKEN where it can neither */
export function mayStandStill({ places }: Context, record: InstanceRecord): { runs: boolean } {
  const paths = instancePaths(places, record.name);
  const { state, message } = observe(paths, record);
  if (state === 'broken') {
    throw new AppError('INSTANCE_BROKEN', `${record.name}: ${message}`, {
      hint: `see what is wrong with: ./manage.ts diagnose ${record.name}`,
    });
  }
  // Its settings for the recovery name places that are about to change.
  if (state === 'starting' || exists(join(paths.data, 'recovery.signal'))) {
    throw new AppError('INSTANCE_NOT_RUNNING', `${record.name} has not ended its recovery`, {
      hint: `wait for it with: ./manage.ts start ${record.name}`,
    });
  }
  if (state === 'crashed') {
    throw new AppError('INSTANCE_NOT_RUNNING', `${record.name} is crashed: its data is not as a shutdown leaves it`, {
      hint: `let it recover first: ./manage.ts start ${record.name}`,
    });
  }
  return { runs: state === 'running' };
}

/** Stops an instance that runs. Whatever ends the work starts it again, as it is then. */
export async function standStill(context: Context, record: InstanceRecord): Promise<void> {
  const { places, journal, task, timeoutMs } = context;
  journal.intend({ kind: 'stopped', instance: record.name });
  await stopCompanions(context, record, { orderly: true, timeoutMs });
  await stopInstance(task, instancePaths(places, record.name), record, {
    way: 'orderly',
    timeoutMs: timeoutMs ?? 60_000,
  });
}

/** Starts it again where it is by now, proves that it is the same database system, and keeps what was done. */
export async function goOn(context: Context, record: InstanceRecord, installation: Installation): Promise<void> {
  const { places, journal, task } = context;
  const paths = instancePaths(places, record.name);
  journal.intend({ kind: 'server', dataDirectory: paths.data });
  await startInstance(task, installation, paths, record, {
    archiveFolder: archiveFolderOf(places, record.name),
    timeoutMs: context.timeoutMs ?? defaultTimeoutMs,
  });
  journal.settle();
  await startCompanions(context, record);
}

import { archiveFolderOf } from '../backups/repository.ts';
import { AppError } from '../errors.ts';
import { asSuperuser } from '../instances/connection.ts';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths } from '../instances/places.ts';
import { type InstanceRecord, requireRecord } from '../instances/record.ts';
import { observe } from '../instances/state.ts';
import { type Summary, summarize } from '../instances/summary.ts';
import type { OwnPrograms } from '../postgres/embedded.ts';
import { chooseInstallation, type Installation, installationFor } from '../postgres/installations.ts';
import { type Client, withClient } from '../postgres/sql.ts';
import type { Context, Outcome, Text } from './action.ts';

/** How long an action waits for a server unless told otherwise: as long as it gets on (see lib/postgres/startup.ts). */
export const defaultTimeoutMs = Infinity;

/** The programs that an instance is run by: always of its own major version. */
export async function installationOf(
  context: Context,
  record: Pick<InstanceRecord, 'version' | 'bindir'>,
): Promise<Installation> {
  const { bindir, task } = context;
  const own = ownPrograms(context);
  if (bindir !== undefined) return await chooseInstallation({ bindir, major: record.version }, own, task.signal);
  return await installationFor(record, own, task.signal);
}

/** The PostgreSQL that comes with the tool: an action that changes something may give the root its copy. */
export function ownPrograms({ places, journal, dryRun }: Context): OwnPrograms {
  return { folder: places.programs, mayCopy: (journal as Context['journal'] | undefined) !== undefined && !dryRun };
}

/** What starting, stopping and the like need of an instance. */
export function openInstance(context: Context, name: InstanceName) {
  const { places } = context;
  const record = requireRecord(places, name);
  return { record, paths: instancePaths(places, record.name), archiveFolder: archiveFolderOf(places, record.name) };
}

/** As `openInstance`, of one that must be asked something. @throws INSTANCE_NOT_RUNNING */
export function openRunning(context: Context, name: InstanceName) {
  const opened = openInstance(context, name);
  const { state } = observe(opened.paths, opened.record);
  if (state === 'running') return opened;
  throw new AppError('INSTANCE_NOT_RUNNING', `instance ${name} is ${state}`, {
    hint: `start it with: ./manage.ts --action start --instance ${name}`,
  });
}

/** Lends a superuser's session over the socket: needs no password, and no slot that clients could have taken. */
export async function withSuperuser<T>(
  context: Context,
  { paths, record }: Pick<ReturnType<typeof openInstance>, 'paths' | 'record'>,
  work: (client: Client) => Promise<T>,
  database?: string,
): Promise<T> {
  const limits = { signal: context.task.signal, timeoutMs: context.timeoutMs ?? 60_000 };
  return await withClient({ ...asSuperuser(paths, record, database), ...limits }, work);
}

/** One line about an instance that has just been changed. */
export function summaryOutcome(context: Context, name: InstanceName, ...more: Text[]): Outcome {
  const summary = summarize(context, name);
  return { data: { ...summary }, text: [{ line: summaryLine(summary) }, ...more] };
}

export function summaryLine({ name, state, port, version, message }: Summary): string {
  const server = `PostgreSQL ${version}`;
  const where =
    port === null ? '' : state === 'running' ? ` on port ${port} (${server})` : ` (port ${port}, ${server})`;
  return `${name} is ${state}${where}${message === null ? '' : `: ${message}`}`;
}

/**
 * True when an earlier run of this very action had reached its end and was killed before it could say so: then the command
 * has nothing left to do.
 */
export function hadFinished({ recovered }: Context, action: string): boolean {
  return recovered.some((entry) => entry.action === action && entry.outcome === 'finished');
}

/** Of actions that a schedule calls; what it does is in lib/cli/pinger.ts. */
export const pingOption = {
  ping: { type: 'string', describe: 'a dead-man service to tell of begin and end (URL) [PG_MANAGE_PING]' },
} as const;

/** Does what goes on until somebody stops it (Ctrl-C, SIGTERM), which is its proper end. */
export async function untilStopped({ task }: Context, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!task.signal.aborted) throw error;
  }
}

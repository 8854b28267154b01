import type { Client } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { checkMigration } from './check.ts';
import { type MigrationFile, type MigrationFolder, readMigrationFolder } from './files.ts';
import { type History, migrationSchema, openHistory, readHistory, recordSql, seedSchema } from './history.ts';
import { invalidIndexes, repairOf } from './indexes.ts';
import type { Reading } from './job.ts';
import { withMigrationLock } from './lock.ts';
import {
  isRepeatable,
  migrationStates,
  newest,
  planMigrations,
  type MigrationEntry,
  type MigrationPlan,
} from './plan.ts';
import { defaultLockRetry } from './retry.ts';
import { runFiles, type RunRequest } from './run-files.ts';
import { readRuns, type Run } from './runs.ts';
import { type MigrationConnection, type Session, withReader, withSession } from './session.ts';

export interface MigrateOptions extends RunRequest {
  /** Holds the files; an absolute path. */
  folder: string;
  /** Says what would be applied, and touches nothing: no lock, no history. */
  dryRun?: boolean;
  /** The last version to apply. */
  to?: string;
  /** Also applies files that are older than the newest applied one. */
  allowOutOfOrder?: boolean;
}

export interface MigrationResult {
  applied: { version: string; name: string; seconds: number }[];
  /** What is not applied yet: in a dry run what would be (up to `to`), else what lies beyond `to`. */
  pending: { version: string; name: string }[];
  /** The newest applied version. */
  current: string | null;
  /** Made before the first file, for `restore --to-name`; null where nothing was applied, or it could not be made. */
  restorePoint: string | null;
}

export interface MigrationStatus {
  migrations: MigrationEntry[];
  current: string | null;
  /** The newest of this database, the newest first: of seeds too. */
  runs: Run[];
}

/** A plan whose files were looked at, and may run. */
type ReadyPlan = MigrationPlan & { pending: (MigrationFile & Reading)[] };

/**
 * Brings a database up to date: takes the migration lock, then applies each pending file. Stops at the first that fails;
 * those before it stay applied.
 * @throws MIGRATIONS_NOT_FOUND, MIGRATION_AMBIGUOUS, MIGRATION_CHANGED, MIGRATION_MISSING, MIGRATION_OUT_OF_ORDER before
 *   anything is applied; MIGRATION_LOCKED when another migrator goes on for too long; MIGRATION_FAILED for a file;
 *   SQL_FAILED for the connection and our own statements; the signal's reason when interrupted
 */
export async function migrate(
  task: Task,
  connection: MigrationConnection,
  options: MigrateOptions,
): Promise<MigrationResult> {
  return applyFolder(task, connection, readMigrationFolder(options.folder), options);
}

/** As `migrate`, of files that were read already. */
export async function applyFolder(
  task: Task,
  connection: MigrationConnection,
  folder: MigrationFolder,
  options: Omit<MigrateOptions, 'folder'>,
): Promise<MigrationResult> {
  const { lockRetry = defaultLockRetry, schema = migrationSchema } = options;
  if (options.dryRun) {
    const planned = await withReader(task, connection, async (client) =>
      plan(folder, await readHistory(client, schema), options),
    );
    return { applied: [], pending: planned.pending.map(briefly), current: planned.current, restorePoint: null };
  }
  return withSession(task, connection, lockRetry, async (session) =>
    withMigrationLock(task, session.client, options.lockTimeoutMs, async () => {
      // Read only now: what another migrator did while we waited counts.
      const history = await openHistory(session.client, schema);
      return applyAll(task, session, plan(folder, history, options), history, { ...options, lockRetry, schema });
    }),
  );
}

/** The files that `migrate` would apply now, checked, in order. Touches nothing. @throws as `migrate` before it applies */
export async function pendingMigrations(
  task: Task,
  connection: MigrationConnection,
  options: Pick<MigrateOptions, 'folder' | 'to' | 'allowOutOfOrder' | 'schema'>,
): Promise<ReadyPlan> {
  const folder = readMigrationFolder(options.folder);
  return withReader(task, connection, async (client) =>
    plan(folder, await readHistory(client, options.schema ?? migrationSchema), options),
  );
}

/** Compares the folder with what was applied; makes no history where there is none, and takes no lock. */
export async function migrationStatus(
  task: Task,
  connection: MigrationConnection,
  { folder, runs: count = 0 }: { folder: string; runs?: number },
): Promise<MigrationStatus> {
  const found = readMigrationFolder(folder);
  return withReader(task, connection, async (client) => {
    const history = await readHistory(client);
    const runs = count === 0 ? [] : await newestRuns(client, count);
    return { migrations: migrationStates(found, history), current: newest(history.applied), runs };
  });
}

async function newestRuns(client: Client, count: number): Promise<Run[]> {
  const runs = [...(await readRuns(client, migrationSchema, count)), ...(await readRuns(client, seedSchema, count))];
  return runs.toSorted((a, b) => (a.startedAt > b.startedAt ? -1 : 1)).slice(0, count);
}

function plan(
  folder: MigrationFolder,
  history: History,
  { to, allowOutOfOrder }: Pick<MigrateOptions, 'to' | 'allowOutOfOrder'>,
): ReadyPlan {
  const planned = planMigrations(folder, history, { to, allowOutOfOrder });
  // All of them before the first runs: half a run is worse than none.
  return { ...planned, pending: planned.pending.map(checkMigration) };
}

async function applyAll(
  task: Task,
  session: Session,
  { pending, later, current }: ReadyPlan,
  history: History,
  request: RunRequest & Required<Pick<RunRequest, 'lockRetry' | 'schema'>>,
): Promise<MigrationResult> {
  if (pending.length === 0) return { applied: [], pending: later.map(briefly), current, restorePoint: null };
  const { schema, lockRetry } = request;
  const { done: applied, restorePoint } = await runFiles(
    task,
    session,
    pending,
    {
      direction: 'up',
      schema,
      lockRetry,
      statements: history.statements,
      record: (file, by) => recordSql({ file, ...by }, isRepeatable(file.version) ? 'repeatables' : 'migrations'),
    },
    request,
  );
  await tellInvalid(task, session.client);
  const now = newest([...history.applied, ...applied.filter(({ version }) => !isRepeatable(version))]);
  return { applied, pending: later.map(briefly), current: now, restorePoint };
}

/** A failed concurrent build says nothing afterwards: the index is there, costs every write, and no query uses it. */
async function tellInvalid(task: Task, client: Client): Promise<void> {
  for (const index of await invalidIndexes(client)) {
    task.warn(`the index ${index.name} on ${index.table} is invalid: ${repairOf(index)}`);
  }
}

function briefly({ version, name }: MigrationFile): { version: string; name: string } {
  return { version, name };
}

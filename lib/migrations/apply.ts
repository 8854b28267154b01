import { AppError } from '../errors.ts';
import { sqlFailed, withClient } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { applyFile, defaultLockRetry, type LockRetry } from './apply-file.ts';
import { checkMigration } from './check.ts';
import { readMigrations, type MigrationFile } from './files.ts';
import { ensureHistory, readHistory } from './history.ts';
import { withMigrationLock } from './lock.ts';
import { migrationStates, newest, planMigrations, type MigrationEntry, type MigrationPlan } from './plan.ts';
import { endSession, openSession, sessionSettings, type MigrationConnection, type Session } from './session.ts';

export interface MigrateOptions {
  /** Holds the files; an absolute path. */
  folder: string;
  /** How long to wait for another migrator of this database, in milliseconds. */
  lockTimeoutMs: number;
  /** Written beside each file in the history. */
  toolVersion: string;
  /** Says what would be applied, and touches nothing: no lock, no history. */
  dryRun?: boolean;
  /** The last version to apply. */
  to?: string;
  lockRetry?: LockRetry;
}

export interface MigrationResult {
  applied: { version: string; name: string; seconds: number }[];
  /** What is not applied yet: in a dry run what would be (up to `to`), else what lies beyond `to`. */
  pending: { version: string; name: string }[];
  /** The newest applied version. */
  current: string | null;
}

export interface MigrationStatus {
  migrations: MigrationEntry[];
  current: string | null;
}

/** How long status may take to answer, in milliseconds. */
const statusTimeoutMs = 30_000;

/**
 * Brings a database up to date: takes the migration lock, then applies each pending file in a transaction of its own. Stops
 * at the first that fails; those before it stay applied.
 * @throws MIGRATIONS_NOT_FOUND, MIGRATION_AMBIGUOUS, MIGRATION_CHANGED, MIGRATION_MISSING, MIGRATION_OUT_OF_ORDER before
 *   anything is applied; MIGRATION_LOCKED when another migrator goes on for too long; MIGRATION_FAILED for a file;
 *   SQL_FAILED for the connection and our own statements; the signal's reason when interrupted
 */
export async function migrate(
  task: Task,
  connection: MigrationConnection,
  options: MigrateOptions,
): Promise<MigrationResult> {
  const files = readMigrations(options.folder);
  const { lockRetry = defaultLockRetry } = options;
  let session: Session | undefined;
  try {
    return await withClient(
      {
        ...connection,
        signal: task.signal,
        timeoutMs: 0,
        applicationName: 'pg-manage migrate',
        settings: sessionSettings(lockRetry.timeoutMs),
      },
      async (client) => {
        if (options.dryRun) return wouldApply(plan(files, await readHistory(client), options));
        const opened = (session = await openSession(client));
        return await withMigrationLock(task, client, options.lockTimeoutMs, async () => {
          await ensureHistory(client);
          // Read only now: what another migrator did while we waited counts.
          const planned = plan(files, await readHistory(client), options);
          return await applyAll(task, opened, planned, { toolVersion: options.toolVersion, lockRetry });
        });
      },
    );
  } catch (error) {
    if (task.signal.aborted) {
      if (session !== undefined) await endSession(connection, session);
      throw error;
    }
    throw error instanceof AppError ? error : sqlFailed(`migrating database "${connection.database}"`, error);
  }
}

/** Compares the folder with what was applied; makes no history where there is none, and takes no lock. */
export async function migrationStatus(
  task: Task,
  connection: MigrationConnection,
  { folder }: { folder: string },
): Promise<MigrationStatus> {
  const files = readMigrations(folder);
  try {
    const applied = await withClient(
      { ...connection, signal: task.signal, timeoutMs: statusTimeoutMs, applicationName: 'pg-manage migrate-status' },
      readHistory,
    );
    return { migrations: migrationStates(files, applied), current: newest(applied) };
  } catch (error) {
    task.signal.throwIfAborted();
    throw sqlFailed(`reading the migrations of database "${connection.database}"`, error);
  }
}

function plan(
  files: MigrationFile[],
  applied: Parameters<typeof planMigrations>[1],
  { to }: MigrateOptions,
): MigrationPlan {
  const planned = planMigrations(files, applied, { to });
  // All of them before the first runs: half a run is worse than none.
  planned.pending.forEach(checkMigration);
  return planned;
}

function wouldApply({ pending, current }: MigrationPlan): MigrationResult {
  return { applied: [], pending: pending.map(briefly), current };
}

async function applyAll(
  task: Task,
  session: Session,
  { pending, later, current }: MigrationPlan,
  options: { toolVersion: string; lockRetry: LockRetry },
): Promise<MigrationResult> {
  const applied: MigrationResult['applied'] = [];
  for (const file of pending) {
    try {
      applied.push({ ...briefly(file), seconds: await applyFile(task, session, file, options) });
    } catch (error) {
      throw error instanceof AppError ? telling(error, applied) : error;
    }
  }
  return { applied, pending: later.map(briefly), current: applied.at(-1)?.version ?? current };
}

/** The same error, with what was applied before it for scripts to read. */
function telling(error: AppError, applied: MigrationResult['applied']): AppError {
  const { code, message, hint, output, data, cause } = error;
  return new AppError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(output === undefined ? {} : { output }),
    data: { ...data, applied },
    cause,
  });
}

function briefly({ version, name }: MigrationFile): { version: string; name: string } {
  return { version, name };
}

import { AppError } from '../errors.ts';
import type { Task } from '../task.ts';
import { checkMigration } from './check.ts';
import { compareVersions, type MigrationFolder, readDown, readMigrationFolder } from './files.ts';
import {
  type AppliedMigration,
  ensureHistory,
  type History,
  migrationSchema,
  readHistory,
  unrecordSql,
} from './history.ts';
import type { Reading } from './job.ts';
import { withMigrationLock } from './lock.ts';
import { newest } from './plan.ts';
import { defaultLockRetry } from './retry.ts';
import { runFiles, type RunRequest } from './run-files.ts';
import type { Script } from './sections.ts';
import { type MigrationConnection, withReader, withSession } from './session.ts';

/** How far back: so many files; all that are newer than `to`, which stays (`0` for all); or `from` and all newer ones. */
export type RollbackTarget = { steps: number } | { to: string } | { from: string };

export interface RollbackOptions extends RunRequest {
  /** Holds the files; an absolute path. */
  folder: string;
  target: RollbackTarget;
  dryRun?: boolean;
}

export interface RollbackResult {
  /** In the order in which they were undone: the newest first. */
  undone: { version: string; name: string; seconds: number }[];
  /** In a dry run: what would be. */
  pending: { version: string; name: string }[];
  current: string | null;
  restorePoint: string | null;
}

/** What undoes one applied version. */
export interface Undo extends Script {
  version: string;
  name: string;
  file: string;
}

/**
 * Undoes the newest applied migrations, the newest first, each with its row in the history. Checks before the first that
 * every one of them can be undone.
 * @throws MIGRATION_NO_DOWN where a version has nothing that undoes it; MIGRATIONS_NOT_FOUND, MIGRATION_AMBIGUOUS,
 *   MIGRATION_LOCKED, MIGRATION_FAILED, SQL_FAILED as `migrate`
 */
export async function rollback(
  task: Task,
  connection: MigrationConnection,
  options: RollbackOptions,
): Promise<RollbackResult> {
  const folder = readMigrationFolder(options.folder);
  const { lockRetry = defaultLockRetry, schema = migrationSchema } = options;
  if (options.dryRun) {
    const history = await withReader(task, connection, async (client) => readHistory(client, schema));
    const pending = planRollback(folder, history, options.target).map(briefly);
    return { undone: [], pending, current: newest(history.applied), restorePoint: null };
  }
  return withSession(task, connection, lockRetry, async (session) =>
    withMigrationLock(task, session.client, options.lockTimeoutMs, async () => {
      const history = await readHistory(session.client, schema);
      const undos = planRollback(folder, history, options.target);
      if (undos.length === 0) {
        return { undone: [], pending: [], current: newest(history.applied), restorePoint: null };
      }
      await ensureHistory(session.client, schema); // of an earlier version, it may lack something
      const { done: undone, restorePoint } = await runFiles(
        task,
        session,
        undos,
        {
          direction: 'down',
          schema,
          lockRetry,
          statements: history.statements,
          record: ({ version }) => unrecordSql(schema, version),
        },
        { what: 'migrate-rollback', ...options },
      );
      const gone = new Set(undos.map(({ version }) => version));
      const left = history.applied.filter(({ version }) => !gone.has(version));
      return { undone, pending: [], current: newest(left), restorePoint };
    }),
  );
}

/**
 * What to undo, the newest first, each with what undoes it.
 * @throws MIGRATION_NO_DOWN, MIGRATIONS_NOT_FOUND, USAGE; MIGRATION_FAILED for a text that cannot run
 */
export function planRollback(
  folder: MigrationFolder,
  { applied }: History,
  target: RollbackTarget,
): (Undo & Reading)[] {
  const newestFirst = applied.toSorted((a, b) => compareVersions(b.version, a.version));
  const chosen = choose(newestFirst, target);
  const found = chosen.map((record) => ({ record, undo: readDown(folder, record.version) }));
  const [first, ...more] = found.filter(({ undo }) => undo === undefined).map(({ record }) => record.file);
  if (first !== undefined) {
    const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
    throw new AppError('MIGRATION_NO_DOWN', `nothing in the folder undoes ${first}${others}: nothing is undone`, {
      hint: 'write it beside the file as NNN_name.down.sql, or go back with: restore --to-name (see migrate-status)',
      ...(more.length === 0 ? {} : { output: [first, ...more].join('\n') }),
      data: { files: [first, ...more] },
    });
  }
  const undos = found.flatMap(({ record: { version, name }, undo }) =>
    // The row in the history bears the version as it was written when it was applied.
    undo === undefined ? [] : [{ ...undo, version, name }],
  );
  return undos.map(checkMigration);
}

function choose(newestFirst: AppliedMigration[], target: RollbackTarget): AppliedMigration[] {
  if ('steps' in target) return newestFirst.slice(0, target.steps);
  const version = 'to' in target ? target.to : target.from;
  const known = newestFirst.some((one) => compareVersions(one.version, version) === 0);
  if (!known && !('to' in target && BigInt(version) === 0n)) {
    throw new AppError('MIGRATIONS_NOT_FOUND', `version ${version} is not applied`, {
      hint: `applied are ${newestFirst.map((one) => one.version).join(', ') || 'none'}; --to 0 undoes all of them`,
    });
  }
  const least = 'to' in target ? 1 : 0;
  return newestFirst.filter((one) => compareVersions(one.version, version) >= least);
}

function briefly({ version, name }: { version: string; name: string }): { version: string; name: string } {
  return { version, name };
}

import { AppError } from '../errors.ts';
import type { Task } from '../task.ts';
import { applyFile } from './apply-file.ts';
import type { Ready } from './check.ts';
import type { Direction, Recorded, StatementRecord } from './history.ts';
import type { LockRetry } from './retry.ts';
import { beginRun, endRun } from './runs.ts';
import type { Session } from './session.ts';

/** What every run that changes a database is told, beside its files. */
export interface RunRequest {
  /** How long to wait for another migrator of this database, in milliseconds. */
  lockTimeoutMs: number;
  /** Written beside each file in the history. */
  toolVersion: string;
  /** The action, and the person who gave it, for the record of runs. */
  what?: string;
  caller?: string;
  lockRetry?: LockRetry;
  /** The schema of the history, where it is not that of the migrations. */
  schema?: string;
  /** Makes a restore point before the first file runs, and gives its name; undefined where none can be made. */
  restorePoint?: () => Promise<string | undefined>;
}

/** A file that was looked at and may run. */
export type RunFile = Ready & { name: string };

export interface FileDone {
  version: string;
  name: string;
  seconds: number;
}

/** What becomes of the history, and what it knows. */
export interface Running<T> {
  direction: Direction;
  schema: string;
  lockRetry: LockRetry;
  /** SQL that writes that a file was run. */
  record: (file: T, by: Omit<Recorded, 'file'>) => string;
  /** How far earlier runs have come with files that go statement by statement. */
  statements: readonly StatementRecord[];
}

/**
 * Runs files one after the other as one run, which is noted with what came of it. Stops at the first that fails; those before it
 * stay done.
 * @throws as `applyFile`; the error's data says what was done before
 */
export async function runFiles<T extends RunFile>(
  task: Task,
  session: Session,
  files: readonly T[],
  { direction, schema, lockRetry, record, statements }: Running<T>,
  request: RunRequest,
): Promise<{ done: FileDone[]; restorePoint: string | null }> {
  const { toolVersion, what = 'migrate', caller } = request;
  const restorePoint = await request.restorePoint?.();
  const run = await beginRun(session.client, schema, { what, caller, toolVersion, restorePoint });
  const done: FileDone[] = [];
  const names = (): string[] => files.slice(0, done.length).map(({ file }) => file);
  try {
    for (const file of files) {
      const noted = statements.filter((one) => one.version === file.version && one.direction === direction);
      const job = { ...file, what, direction, noted, record: record(file, { schema, toolVersion, run }) };
      const seconds = await applyFile(task, session, job, { schema, run, lockRetry });
      done.push({ version: file.version, name: file.name, seconds });
    }
  } catch (error) {
    // Where the connection is gone it stays noted as unfinished.
    const failure = error instanceof Error ? error.message : String(error);
    await endRun(session.client, schema, run, { files: names(), failure }).catch(() => undefined);
    if (!(error instanceof AppError)) throw error;
    throw error.with({ [direction === 'up' ? 'applied' : 'undone']: done, restorePoint: restorePoint ?? null });
  }
  await endRun(session.client, schema, run, { files: names() });
  return { done, restorePoint: restorePoint ?? null };
}

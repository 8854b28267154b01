import { AppError } from '../errors.ts';
import { monotonicMs } from '../host/clock.ts';
import { pause } from '../host/wait.ts';
import { sqlState, type Client } from '../postgres/sql.ts';
import type { Step, Task } from '../task.ts';
import { endFailed, textFailed, type TextFailure } from './failure.ts';
import type { MigrationFile } from './files.ts';
import { recordMigration } from './history.ts';
import { holdsMigrationLock } from './lock.ts';
import { freshSession, resetSession, type Session } from './session.ts';

/** How a file meets the locks of a busy database. */
export interface LockRetry {
  /** The server's lock_timeout for each lock a statement asks for, in milliseconds. */
  timeoutMs: number;
  /** How many times the whole file is tried. */
  tries: number;
  /** The first pause between two tries, in milliseconds; it grows by half, with jitter, up to twenty times as much. */
  pauseMs: number;
}

export const defaultLockRetry: LockRetry = { timeoutMs: 5000, tries: 10, pauseMs: 1000 };

/** Not the file's fault: a lock that was not had in time (55P03), a deadlock with the application's traffic (40P01). */
const worthRetrying = new Set(['55P03', '40P01']);

/**
 * Applies one file: its text and its history row in one transaction. Gives the seconds the text took.
 * @throws MIGRATION_FAILED; then nothing of the file remains
 */
export async function applyFile(
  task: Task,
  session: Session,
  file: MigrationFile,
  { toolVersion, lockRetry }: { toolVersion: string; lockRetry: LockRetry },
): Promise<number> {
  return task.step(`apply ${file.file}`, async (step) => {
    for (let tried = 1; ; tried += 1) {
      try {
        return await attempt(task, session, file, toolVersion);
      } catch (error) {
        if (!(error instanceof AppError) || !worthRetrying.has(sqlState(error.cause) ?? '')) throw error;
        if (tried >= lockRetry.tries) throw givenUp(error, tried);
        await waitToRetry(task, step, error, { tried, lockRetry });
      }
    }
  });
}

async function attempt(task: Task, session: Session, file: MigrationFile, toolVersion: string): Promise<number> {
  const { client } = session;
  try {
    await freshSession(session, `pg-manage migrate ${file.file}`);
    const transaction = await begin(client);
    const startedMs = monotonicMs();
    const failure = await sendText(task, client, file);
    if (failure !== undefined) throw textFailed(file, failure);
    const seconds = (monotonicMs() - startedMs) / 1000;
    await atEnd(file, 'the check of the transaction', () => checkStillOurs(client, file, transaction));
    await atEnd(file, 'the history row', () => recordMigration(client, file, { seconds, toolVersion }));
    await atEnd(file, 'COMMIT', () => client.query('COMMIT'));
    return seconds;
  } catch (error) {
    // Where the connection is gone the server has done this itself.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Opens the transaction and gives its number. */
async function begin(client: Client): Promise<string | undefined> {
  await client.query('BEGIN');
  const { rows } = await client.query<{ xid: string }>('SELECT pg_catalog.pg_current_xact_id()::text AS xid');
  return rows[0]?.xid;
}

/** Sends the text as one simple query, and says where it stopped if it did. */
async function sendText(task: Task, client: Client, { file, sql }: MigrationFile): Promise<TextFailure | undefined> {
  // The driver says only that one of the statements failed; its protocol layer has seen which had ended before.
  const { connection } = client;
  let completed = 0;
  const count = (): void => void (completed += 1);
  const warn = ({ code, message }: { code?: string | undefined; message?: string | undefined }): void => {
    if (code?.startsWith('01') || code?.startsWith('25')) task.warn(`${file}: ${message}`);
  };
  connection.on('commandComplete', count);
  client.on('notice', warn);
  try {
    await client.query(sql);
    return undefined;
  } catch (error) {
    return { error, completed };
  } finally {
    connection.off('commandComplete', count);
    client.off('notice', warn);
  }
}

/** Before recording: is this still the transaction that we opened, and the session that holds the lock? */
async function checkStillOurs(client: Client, file: MigrationFile, transaction: string | undefined): Promise<void> {
  await client.query(resetSession);
  const { rows } = await client.query<{ xid: string | null }>(
    'SELECT pg_catalog.pg_current_xact_id_if_assigned()::text AS xid',
  );
  if (rows[0]?.xid !== transaction) {
    throw new AppError('MIGRATION_FAILED', `${file.file}: the file ends the transaction itself (COMMIT or ROLLBACK)`, {
      hint: 'what it committed remains and is not recorded: undo that by hand, and take COMMIT out of the file',
      data: { version: file.version, file: file.file },
    });
  }
  if (!(await holdsMigrationLock(client))) {
    throw new AppError('MIGRATION_FAILED', `${file.file}: the migration lock was lost while the file ran`, {
      hint: 'a file must not free advisory locks that are not its own, and the connection must not go through a pooler',
      data: { version: file.version, file: file.file },
    });
  }
}

async function atEnd(file: MigrationFile, doing: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw error instanceof AppError ? error : endFailed(file, doing, error);
  }
}

async function waitToRetry(
  task: Task,
  step: Step,
  error: AppError,
  { tried, lockRetry }: { tried: number; lockRetry: LockRetry },
): Promise<void> {
  if (tried === 1) task.warn(`${error.message}; the file is rolled back and tried again`);
  step.progress(`try ${tried} of ${lockRetry.tries} found a lock taken`);
  // Jitter, so that two who wait for each other do not meet again.
  const pauseMs = lockRetry.pauseMs * Math.min(20, 1.5 ** (tried - 1)) * (0.8 + Math.random() * 0.4);
  await pause(pauseMs, task.signal);
}

function givenUp({ message, hint, output, cause, data }: AppError, tried: number): AppError {
  return new AppError('MIGRATION_FAILED', `${message}; tried ${tried} times`, {
    ...(hint === undefined ? {} : { hint }),
    ...(output === undefined ? {} : { output }),
    data: { ...data, tries: tried },
    cause,
  });
}

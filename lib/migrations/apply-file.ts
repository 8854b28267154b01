import { monotonicMs } from '../host/clock.ts';
import { sqlState } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { textFailed } from './failure.ts';
import { type Job, nameOf, type RunOptions } from './job.ts';
import { retrying } from './retry.ts';
import { commitSoon, freshSession, resetSession, type Session } from './session.ts';
import { runSteps } from './stepwise.ts';
import { runInTransaction } from './transaction.ts';
import { wantsNoTransaction } from './transactional.ts';

/**
 * Runs one file and records it: in one transaction, or statement by statement where it says so or cannot do otherwise. Gives
 * the seconds it took.
 * @throws MIGRATION_FAILED; of a file in a transaction nothing remains then, of another the error says what does
 * @throws MIGRATION_CHANGED for a file of which another text has run in part
 */
export async function applyFile(task: Task, session: Session, job: Job, options: RunOptions): Promise<number> {
  return task.step(`${job.direction === 'up' ? 'apply' : 'undo'} ${job.file}`, async (step) => {
    const startedMs = monotonicMs();
    const stepwise = job.noted.length > 0 || job.stepwise;
    const reason = stepwise
      ? undefined
      : await retrying(task, step, options.lockRetry, () => whole(task, session, job, options));
    if (reason !== undefined) {
      task.warn(
        `${job.file} cannot run in a transaction (${reason}): nothing of it is done, now it goes statement by statement`,
      );
    }
    if (stepwise || reason !== undefined) await runSteps(task, step, session, job, options);
    return (monotonicMs() - startedMs) / 1000;
  });
}

/** Gives the server's words where the transaction itself is in the way. */
async function whole(task: Task, session: Session, job: Job, { run }: RunOptions): Promise<string | undefined> {
  const { out } = job;
  const stretch = { start: 0, end: out.text.length, count: out.statements.length };
  const failure = await runInTransaction(task, session.client, job, stretch, {
    before: freshSession(session, nameOf(job, run)),
    after: [...resetSession, commitSoon, job.record],
  });
  if (failure === undefined) return undefined;
  if (!('atEnd' in failure) && wantsNoTransaction(sqlState(failure.error))) return (failure.error as Error).message;
  throw textFailed(job, failure);
}

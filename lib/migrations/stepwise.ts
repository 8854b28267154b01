import { AppError } from '../errors.ts';
import { grammarMajor, loadGrammar } from '../postgres/grammar.ts';
import { runScript } from '../postgres/script.ts';
import { identifier, sqlState } from '../postgres/sql.ts';
import type { Step as Progress, Task } from '../task.ts';
import { refusal } from './check.ts';
import { type Sent, textFailed, type TextFailure } from './failure.ts';
import type { StatementRecord } from './history.ts';
import { assertValid, describeInvalid } from './indexes.ts';
import { type Job, nameOf, type RunOptions } from './job.ts';
import { forgetSql, type NotesKey, noteSql } from './notes.ts';
import { offsetInFile, outgoing } from './outgoing.ts';
import { retrying } from './retry.ts';
import { freshSession, resetSession, type Session } from './session.ts';
import { settle } from './settle.ts';
import { planSteps, type Step, StepsRefused } from './steps.ts';
import { runAlone, runInTransaction } from './transaction.ts';
import { wantsNoTransaction } from './transactional.ts';

/** What every step of one file needs. */
interface Work {
  task: Task;
  session: Session;
  sent: Sent;
  key: NotesKey;
}

/**
 * Runs a file statement by statement and notes each, so that a later run goes on where this one ended, whatever ended it: a
 * statement that can runs in one transaction with its note; one that cannot is noted before and after, and what became of it
 * is looked up where the second note is missing.
 * @throws MIGRATION_FAILED, MIGRATION_CHANGED
 */
export async function runSteps(
  task: Task,
  progress: Progress,
  session: Session,
  job: Job,
  { schema, run, lockRetry }: RunOptions,
): Promise<void> {
  const sent = job.stepwise ? job : { ...job, out: outgoing(job.sql, { unwrap: false }) };
  const work: Work = { task, session, sent, key: { schema, version: job.version, direction: job.direction } };
  const steps = await planOf(work);
  checkNoted(job, steps);
  await tell(work, freshSession(session, nameOf(job, run)));
  for (const step of steps) {
    const noted = job.noted.find(({ statement }) => statement === step.number);
    if (noted?.state === 'done') {
      if (step.setting) mustRun(work, step, await runAlone(task, session.client, sent, step));
      continue;
    }
    progress.progress(`statement ${step.number} of ${steps.length}`);
    await retrying(task, progress, lockRetry, () => runStep(work, step));
  }
  await note(work, [...resetSession, job.record, forgetSql(work.key)]);
}

async function planOf({ session, sent }: Work): Promise<Step[]> {
  try {
    return planSteps(sent.out, await loadGrammar(), session.serverMajor <= grammarMajor);
  } catch (error) {
    if (!(error instanceof StepsRefused)) throw error;
    throw refusal(sent, offsetInFile(sent.out, error.at), error.message, 'nothing of the file was run: correct it');
  }
}

/** Statements that have run must still stand in the file as they were. */
function checkNoted(job: Job, steps: Step[]): void {
  const changed = job.noted.find(
    ({ statement, checksum, state }) =>
      state === 'done' && steps.find(({ number }) => number === statement)?.checksum !== checksum,
  );
  if (changed === undefined) return;
  throw new AppError(
    'MIGRATION_CHANGED',
    `${job.file} has run in part, and its statement ${changed.statement}, which has run, is another one now`,
    {
      hint: 'put the statements that have run back as they were; those after them may be changed',
      data: { version: job.version, file: job.file, statement: changed.statement },
    },
  );
}

async function runStep(work: Work, step: Step): Promise<void> {
  const { task, session, sent, key } = work;
  const done = noteSql(key, step, 'done');
  const begun = await readBegun(work, step);
  if (begun !== undefined) {
    const settled = await settle(session.client, step, begun);
    if (settled.notice !== undefined) task.warn(`${sent.file}: ${settled.notice}`);
    if (settled.done) return await note(work, ['SET LOCAL ROLE NONE', done]);
  }
  if (!step.alone) {
    const around = { before: [], after: ['SET LOCAL ROLE NONE', done] };
    const failure = await runInTransaction(task, session.client, sent, step, around);
    if (failure === undefined || step.count > 1 || !wantsNoTransaction(sqlState(failure.error))) {
      return mustRun(work, step, failure);
    }
  }
  await note(work, ['SET LOCAL ROLE NONE', noteSql(key, step, 'begun')]);
  const patient = step.concurrent && (await waitForLocks(work));
  const failure = await runAlone(task, session.client, sent, step);
  // Where the connection is gone there is nothing to take back.
  if (patient) await runScript(session.client, 'RESET lock_timeout');
  const left = failure === undefined ? undefined : await describeInvalid(session.client, step);
  mustRun(work, step, failure, left);
  await assertValid(session.client, sent, step);
  await note(work, ['SET LOCAL ROLE NONE', done]);
}

/**
 * Nobody waits behind CREATE INDEX CONCURRENTLY while it waits for old transactions, and giving up leaves an invalid index:
 * so it has no limit, unless the file has set one.
 */
async function waitForLocks({ session: { client } }: Work): Promise<boolean> {
  const { rows } = await client.query<{ source: string }>(
    "SELECT source FROM pg_catalog.pg_settings WHERE name = 'lock_timeout'",
  );
  if (rows[0]?.source === 'session') return false;
  await client.query('SET lock_timeout = 0');
  return true;
}

async function readBegun({ session, key }: Work, step: Step): Promise<StatementRecord | undefined> {
  const { rows } = await session.client.query<StatementRecord>(
    `SELECT version, direction, statement, checksum, state, indexes::text[] AS indexes
     FROM ${identifier(key.schema)}.statements
     WHERE version = $1 AND direction = $2 AND statement = $3 AND state = 'begun' AND checksum = $4`,
    [key.version, key.direction, step.number, step.checksum],
  );
  return rows[0];
}

/** Runs statements of ours in one transaction, after the check that the lock is still ours. */
async function note(work: Work, statements: string[]): Promise<void> {
  const nothing = { start: 0, end: 0, count: 0 };
  const { task, session, sent } = work;
  const failure = await runInTransaction(task, session.client, sent, nothing, { before: [], after: statements });
  if (failure !== undefined) throw textFailed(sent, failure, { remains: remains(work) });
}

async function tell({ session, sent }: Work, statements: string[]): Promise<void> {
  const { error } = await runScript(session.client, statements.join(';\n'));
  if (error !== undefined) throw textFailed(sent, { error, atEnd: 'the history row' });
}

function mustRun(work: Work, step: Step, failure: TextFailure | undefined, left?: string): void {
  if (failure === undefined) return;
  const state = remains(work, step, left);
  throw textFailed(work.sent, failure, { first: step.first, remains: state });
}

function remains({ sent }: Work, step?: Step, left?: string): string {
  const before =
    step === undefined || step.number === 1
      ? `nothing of ${sent.file} is noted as done`
      : `what stands before it in ${sent.file} is done and not done again`;
  return left === undefined ? before : `${before}; ${left}`;
}

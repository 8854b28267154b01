import type { Direction, StatementRecord } from './history.ts';
import { outgoing } from './outgoing.ts';
import type { LockRetry } from './retry.ts';
import type { Script } from './sections.ts';
import { runsAlone } from './transactional.ts';

/** A file to run, in one direction, and what makes it known. */
export interface Job extends Script {
  version: string;
  file: string;
  direction: Direction;
  /** SQL that records it, run in the transaction of its last part. */
  record: string;
  /** How far an earlier run has come with it, where that goes statement by statement. */
  noted: StatementRecord[];
}

export interface RunOptions {
  /** Where the history is. */
  schema: string;
  run: string;
  lockRetry: LockRetry;
}

/** True for a file that says that it wants no transaction, or holds a statement that the server refuses in one. */
export function runsStepwise({ sql, transaction }: Script): boolean {
  return !transaction || outgoing(sql, { unwrap: false }).statements.some(runsAlone);
}

/** What the session is called while it runs a file; the server keeps 63 bytes of it. */
export function nameOf(job: Pick<Job, 'direction' | 'file'>, run: string): string {
  return `pg-manage ${job.direction === 'up' ? 'migrate' : 'rollback'} ${run}: ${job.file}`;
}

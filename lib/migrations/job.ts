import type { Direction, StatementRecord } from './history.ts';
import { outgoing, type Outgoing } from './outgoing.ts';
import type { LockRetry } from './retry.ts';
import { scanStatements } from './scan.ts';
import type { Script } from './sections.ts';
import { runsAlone } from './transactional.ts';

/** A script as it is understood. */
export interface Reading {
  /** It wants no transaction, or holds a statement that the server refuses in one. */
  stepwise: boolean;
  out: Outgoing;
}

/** A file to run, in one direction, and what makes it known. */
export interface Job extends Script, Reading {
  /** The action that runs it, as people call it: `migrate`, `seed`, … */
  what: string;
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

/** Reads a script, once for all that is done with it. */
export function readScript({ sql, transaction }: Script): Reading {
  const statements = scanStatements(sql);
  const stepwise = !transaction || statements.some(runsAlone);
  return { stepwise, out: outgoing(sql, { unwrap: !stepwise }, statements) };
}

/** What the session is called while it runs a file; the server keeps 63 bytes of it. */
export function nameOf({ what, file }: Pick<Job, 'what' | 'file'>, run: string): string {
  return `pg-manage ${what} ${run}: ${file}`;
}

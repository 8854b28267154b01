import type { Statement } from './scan.ts';

/**
 * True for a statement that PostgreSQL runs only outside a transaction, as far as its words tell (PreventInTransactionBlock
 * in src/backend/tcop/utility.c and commands/). What they do not tell (ALTER TYPE … ADD VALUE used at once, a procedure that
 * commits) the server says when it is tried in one: see `wantsNoTransaction`.
 */
export function runsAlone({ words }: Statement): boolean {
  const [first, second, third] = words;
  const has = (...wanted: string[]): boolean => wanted.every((word) => words.includes(word));
  switch (first ?? '') {
    case 'vacuum':
      return true;
    case 'create':
    case 'drop':
      if (second === 'database' || second === 'tablespace' || second === 'subscription') return true;
      return (second === 'index' || (second === 'unique' && third === 'index')) && has('concurrently');
    case 'alter':
      if (second === 'system' || second === 'subscription') return true;
      if (second === 'database') return has('set', 'tablespace');
      return second === 'table' && has('detach', 'partition', 'concurrently');
    case 'reindex':
      return has('concurrently') || ['database', 'system', 'schema'].includes(second ?? '');
    case 'cluster':
      return words.length === 1;
    default:
      return false;
  }
}

/** True for a statement that makes or drops nothing under a lock that others notice, so may wait for its lock for long. */
export function isConcurrent({ words }: Statement): boolean {
  return words.includes('concurrently');
}

/**
 * SQLSTATEs by which the server says that the very transaction is in the way: 25001 (cannot run inside a transaction block),
 * 55P04 (a new enum value must be committed before it is used), 2D000 (a procedure or DO block that commits).
 */
export function wantsNoTransaction(state: string | undefined): boolean {
  return state === '25001' || state === '55P04' || state === '2D000';
}

import { AppError } from '../errors.ts';
import { sqlState } from '../postgres/sql.ts';
import { endedTransaction, lostLock } from './lock.ts';
import { offsetInFile, type Outgoing } from './outgoing.ts';
import { locate, quoteLine, type Place } from './place.ts';

/** What the server refused while it ran a stretch of a file: where its text stands, or what came after the text. */
export type TextFailure = { error: unknown } & (
  | { /** In the text that was sent, in UTF-16 units. */ at: number }
  | { /** How many statements of the stretch had ended before. */ completed: number }
  | { atEnd: 'COMMIT' | 'the history row' }
);

/** A file, and what was sent of it. */
export interface Sent {
  /** The action that sent it. */
  what: string;
  version: string;
  file: string;
  sql: string;
  out: Outgoing;
}

/** What the server says of an error: the fields of its ErrorResponse message that we show. */
interface ServerError extends Error {
  severity?: string | undefined;
  code?: string | undefined;
  detail?: string | undefined;
  hint?: string | undefined;
  /** In characters from 1, within the text that was sent. */
  position?: string | undefined;
  internalQuery?: string | undefined;
  where?: string | undefined;
}

/**
 * A failed file as an error that shows where it failed, in the file's own lines and the server's own words.
 * @param remains what a person has to know of the state that is left
 */
export function textFailed(
  file: Sent,
  failure: TextFailure,
  { first = 0, remains = `nothing of ${file.file} remains` }: { first?: number; remains?: string } = {},
): AppError {
  const { error } = failure;
  const state = sqlState(error);
  if (state === undefined || lost.test(state)) return connectionLost(file, error, remains);
  const server = error as ServerError;
  const refused = refusedByUs(file, server);
  if (refused !== undefined) return refused;
  const place = placeOf(file, failure, first);
  const where = place === undefined ? file.file : `${file.file}:${place.line}:${place.column}`;
  const at = 'atEnd' in failure ? `at ${failure.atEnd}: ` : '';
  return new AppError('MIGRATION_FAILED', `${where}: ${at}${server.message} (SQLSTATE ${state})`, {
    hint: hintFor(state, `${remains}: correct it, then run ${file.what} again`),
    output: [...(place === undefined ? [] : [quoteLine(place)]), ...wordsOf(server)].join('\n'),
    cause: error,
    data: { ...dataOf(file), sqlState: state, ...(place && { line: place.line, column: place.column }) },
  });
}

/** The end of the connection under a file: the server rolls an open transaction back by itself. */
function connectionLost(file: Sent, error: unknown, remains: string): AppError {
  return new AppError('MIGRATION_FAILED', `${file.file}: the connection was lost: ${(error as Error).message}`, {
    hint: `${remains}, unless the end came while committing: see the server's log for the reason, then run ${file.what} again, which looks first`,
    cause: error,
    data: dataOf(file),
  });
}

/** What our own check before recording has found. */
function refusedByUs(file: Sent, { message }: ServerError): AppError | undefined {
  if (message.includes(endedTransaction)) {
    return new AppError('MIGRATION_FAILED', `${file.file}: the file ends the transaction itself (COMMIT or ROLLBACK)`, {
      hint: 'what it committed remains and is not recorded: undo that by hand, and take COMMIT out of the file',
      data: dataOf(file),
    });
  }
  if (!message.includes(lostLock)) return undefined;
  return new AppError('MIGRATION_FAILED', `${file.file}: the migration lock was lost while the file ran`, {
    hint: 'a file must not free advisory locks that are not its own, and the connection must not go through a pooler',
    data: dataOf(file),
  });
}

/** Connection exceptions (class 08) and what a stopping or crashing server says (57P01 to 57P03). */
const lost = /^(08|57P0[123])/;

/**
 * The server gives a position for errors of grammar and meaning. For others (a duplicate key, a lock not had) it is the
 * statement after those it had finished.
 */
function placeOf({ sql, out }: Sent, failure: TextFailure, first: number): Place | undefined {
  if ('at' in failure) return locate(sql, offsetInFile(out, failure.at));
  if ('atEnd' in failure) return undefined;
  const statement = out.statements[first + failure.completed];
  return statement && locate(sql, statement.start);
}

function hintFor(state: string, otherwise: string): string {
  if (state === '55P03') return 'see what holds the lock with: select pid, state, query from pg_stat_activity';
  return otherwise;
}

function wordsOf({ severity, message, detail, hint, where, internalQuery }: ServerError): string[] {
  const parts = { [severity ?? 'ERROR']: message, DETAIL: detail, HINT: hint, QUERY: internalQuery, CONTEXT: where };
  return Object.entries(parts).flatMap(([name, text]) => (text ? [`${name}: ${text}`] : []));
}

function dataOf({ version, file }: Sent): Record<string, unknown> {
  return { version, file };
}

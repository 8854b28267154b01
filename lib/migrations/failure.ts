import { AppError } from '../errors.ts';
import { sqlState } from '../postgres/sql.ts';
import type { MigrationFile } from './files.ts';
import { locate, offsetOf, quoteLine, type Place } from './place.ts';
import { scanStatements } from './scan.ts';

/** What the server refused while it ran the text of a file. */
export interface TextFailure {
  error: unknown;
  /** How many statements it had finished before. */
  completed: number;
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

/** A failed file as an error that shows where it failed, in the file's own lines and the server's own words. */
export function textFailed(file: MigrationFile, { error, completed }: TextFailure): AppError {
  const state = sqlState(error);
  if (state === undefined || lost.test(state)) return connectionLost(file, error);
  const server = error as ServerError;
  const place = placeOf(file, server, completed);
  const where = place === undefined ? file.file : `${file.file}:${place.line}:${place.column}`;
  return new AppError('MIGRATION_FAILED', `${where}: ${explain(server)} (SQLSTATE ${state})`, {
    hint: hintFor(state, file),
    output: [...(place === undefined ? [] : [quoteLine(place)]), ...wordsOf(server)].join('\n'),
    cause: error,
    data: { ...dataOf(file), sqlState: state, ...(place && { line: place.line, column: place.column }) },
  });
}

/** The end of the connection under a file: the server rolls an open transaction back by itself. */
export function connectionLost(file: MigrationFile, error: unknown, atCommit = false): AppError {
  const message = `${file.file}: the connection was lost${atCommit ? ' while committing' : ''}: ${(error as Error).message}`;
  return new AppError('MIGRATION_FAILED', message, {
    hint: atCommit
      ? 'look with --action migrate-status whether it was applied, then run migrate again'
      : `nothing of ${file.file} remains: see the server's log for the reason, then run migrate again`,
    cause: error,
    data: dataOf(file),
  });
}

/** An error after the text itself has run: a deferred constraint at COMMIT, the history row. */
export function endFailed(file: MigrationFile, doing: string, error: unknown): AppError {
  const state = sqlState(error);
  if (state === undefined || lost.test(state)) return connectionLost(file, error, doing === 'COMMIT');
  const server = error as ServerError;
  return new AppError('MIGRATION_FAILED', `${file.file}: at ${doing}: ${server.message} (SQLSTATE ${state})`, {
    hint: hintFor(state, file),
    output: wordsOf(server).join('\n'),
    cause: error,
    data: { ...dataOf(file), sqlState: state },
  });
}

/** Connection exceptions (class 08) and what a stopping or crashing server says (57P01 to 57P03). */
const lost = /^(08|57P0[123])/;

/**
 * The server gives a position for errors of grammar and meaning. For others (a duplicate key, a lock not had) it is the
 * statement after those it had finished.
 */
function placeOf({ sql }: MigrationFile, { position }: ServerError, completed: number): Place | undefined {
  if (position !== undefined) return locate(sql, offsetOf(sql, Number(position)));
  const statement = scanStatements(sql)[completed];
  return statement && locate(sql, statement.start);
}

function explain({ code, message }: ServerError): string {
  return code === '25001'
    ? `this statement cannot run in a transaction, and each file runs in one: ${message}`
    : message;
}

function hintFor(state: string, { file }: MigrationFile): string {
  if (state === '25001') return 'a file that is not transactional is not supported yet: run the statement by hand';
  if (state === '55P03') return 'see what holds the lock with: select pid, state, query from pg_stat_activity';
  return `nothing of ${file} remains: correct it, then run migrate again`;
}

function wordsOf({ severity, message, detail, hint, where, internalQuery }: ServerError): string[] {
  const parts = { [severity ?? 'ERROR']: message, DETAIL: detail, HINT: hint, QUERY: internalQuery, CONTEXT: where };
  return Object.entries(parts).flatMap(([name, text]) => (text ? [`${name}: ${text}`] : []));
}

function dataOf({ version, file }: MigrationFile): Record<string, unknown> {
  return { version, file };
}

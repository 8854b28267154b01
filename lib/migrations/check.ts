import { AppError } from '../errors.ts';
import { type Reading, readScript } from './job.ts';
import { beginsTransaction, commitsTransaction } from './outgoing.ts';
import { locate, quoteLine } from './place.ts';
import { copiesFromStdin, type Statement } from './scan.ts';
import type { Script } from './sections.ts';

/** A file that is about to run. */
export type Checked = Script & { version: string; file: string };

/** One that may. */
export type Ready = Checked & Reading;

/**
 * Reads a file, and refuses, before anything runs, what cannot go to the server as it is.
 * @throws MIGRATION_FAILED with file, line and column
 */
export function checkMigration<T extends Checked>(file: T): T & Reading {
  const badAt = file.sql.search(/[\0\uFFFD]/);
  if (badAt !== -1) {
    // Decoding has put U+FFFD where bytes were no UTF-8: sent on, it would change the client's data in silence.
    throw refusal(file, badAt, 'the file is not UTF-8 text', 'save it as UTF-8 (file -i FILE tells what it is)');
  }
  const reading = readScript(file);
  for (const statement of reading.out.statements) {
    checkStatement(file, statement);
    if (!reading.stepwise) checkTransaction(file, statement);
  }
  return { ...file, ...reading };
}

/** What stands at a place of a file and must not. */
export function refusal(
  { version, file, sql }: Pick<Checked, 'version' | 'file' | 'sql'>,
  at: number,
  what: string,
  hint: string,
): AppError {
  const place = locate(sql, at);
  return new AppError('MIGRATION_FAILED', `${file}:${place.line}:${place.column}: ${what}`, {
    hint,
    output: quoteLine(place),
    data: { version, file, line: place.line, column: place.column },
  });
}

function checkStatement(file: Checked, statement: Statement): void {
  const { backslashAt, start, data } = statement;
  if (backslashAt !== undefined) {
    const command = /^\\\S*/.exec(file.sql.slice(backslashAt))?.[0];
    const what = `${command} is a command of psql, not SQL`;
    throw refusal(file, backslashAt, what, 'take it out: the file goes to the server as it is, without psql');
  }
  if (copiesFromStdin(statement) && data === undefined) {
    const what = 'the rows of COPY … FROM stdin must begin on the line after it';
    throw refusal(file, start, what, String.raw`write them there, one a line, and a line of \. after the last`);
  }
}

function checkTransaction(file: Checked, statement: Statement): void {
  const { start, words } = statement;
  if (!endsTransaction(statement) && !beginsTransaction(statement)) return;
  throw refusal(
    file,
    start,
    `the file begins or ends a transaction itself (${words[0]?.toUpperCase()})`,
    'take it out, as each file has a transaction of its own; or let the file go statement by statement: -- migrate:up transaction:false',
  );
}

function endsTransaction(statement: Statement): boolean {
  const [first, ...rest] = statement.words;
  if (first === 'prepare') return rest[0] === 'transaction';
  // ROLLBACK TO keeps it open; the server itself refuses COMMIT PREPARED within one.
  if (first === 'rollback') return !rest.includes('to') && rest[0] !== 'prepared';
  return commitsTransaction(statement) || first === 'abort';
}

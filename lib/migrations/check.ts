import { AppError } from '../errors.ts';
import type { MigrationFile } from './files.ts';
import { locate, quoteLine } from './place.ts';
import { scanStatements, type Statement } from './scan.ts';

/**
 * Refuses, before anything runs, a file that cannot be applied whole in one transaction of ours or not through a driver.
 * @throws MIGRATION_FAILED with file, line and column
 */
export function checkMigration(file: MigrationFile): void {
  const badAt = file.sql.search(/[\0\uFFFD]/);
  if (badAt !== -1) {
    // Decoding has put U+FFFD where bytes were no UTF-8: sent on, it would change the client's data in silence.
    throw refusal(file, badAt, 'the file is not UTF-8 text', 'save it as UTF-8 (file -i FILE tells what it is)');
  }
  for (const statement of scanStatements(file.sql)) checkStatement(file, statement);
}

function checkStatement(file: MigrationFile, { start, words, backslashAt }: Statement): void {
  if (backslashAt !== undefined) {
    const command = /^\\\S*/.exec(file.sql.slice(backslashAt))?.[0];
    const what = `${command} is a command of psql, not SQL`;
    throw refusal(file, backslashAt, what, 'take it out: the file goes to the server as it is, without psql');
  }
  if (copiesFromStdin(words)) {
    const what = 'COPY … FROM stdin with its data in the file is not supported yet';
    throw refusal(file, start, what, 'write the rows as INSERT … VALUES');
  }
  if (endsTransaction(words)) {
    const what = `the file ends the transaction itself (${words[0]?.toUpperCase()})`;
    const hint = 'take BEGIN and COMMIT out: each file runs in a transaction of its own, with its row in the history';
    throw refusal(file, start, what, hint);
  }
}

function copiesFromStdin(words: string[]): boolean {
  return words[0] === 'copy' && words.some((word, index) => word === 'from' && words[index + 1] === 'stdin');
}

function endsTransaction([first, ...rest]: string[]): boolean {
  if (first === 'prepare') return rest[0] === 'transaction';
  // ROLLBACK TO keeps it open; the server itself refuses COMMIT PREPARED within one.
  if (first === 'rollback') return !rest.includes('to') && rest[0] !== 'prepared';
  return (first === 'commit' && rest[0] !== 'prepared') || first === 'end' || first === 'abort';
}

function refusal(file: MigrationFile, at: number, what: string, hint: string): AppError {
  const place = locate(file.sql, at);
  return new AppError('MIGRATION_FAILED', `${file.file}:${place.line}:${place.column}: ${what}`, {
    hint,
    output: quoteLine(place),
    data: { version: file.version, file: file.file, line: place.line, column: place.column },
  });
}

import { loadGrammar, SyntaxRefused, type Grammar } from '../postgres/grammar.ts';
import type { MigrationFile } from './files.ts';
import type { Reading } from './job.ts';
import { locksOf, type TakenLock } from './lock-modes.ts';
import { offsetInFile, type Outgoing } from './outgoing.ts';
import { locate } from './place.ts';
import { scanStatements } from './scan.ts';

/** What a file would do, as far as its text tells. */
export interface Preview {
  version: string;
  name: string;
  file: string;
  /** False for one that goes statement by statement. */
  transaction: boolean;
  statements: { line: number; sql: string; locks: TakenLock[] }[];
}

/** Reads files by PostgreSQL's own grammar, and says of each statement which locks it takes. Touches no server. */
export async function previewMigrations(files: (MigrationFile & Reading)[]): Promise<Preview[]> {
  const grammar = await loadGrammar();
  return files.map((file) => {
    const { stepwise, out } = file;
    const statements = statementsOf(out, grammar).map(({ start, sql, locks }) => ({
      line: locate(file.sql, offsetInFile(out, start)).line,
      sql,
      locks,
    }));
    return { version: file.version, name: file.name, file: file.file, transaction: !stepwise, statements };
  });
}

function statementsOf(out: Outgoing, grammar: Grammar): { start: number; sql: string; locks: TakenLock[] }[] {
  const { text } = out;
  try {
    return grammar.parse(text).map(({ start, end, ...tree }) => {
      const from = start + (scanStatements(text.slice(start, end))[0]?.start ?? 0);
      return { start: from, sql: text.slice(from, end), locks: locksOf(tree) };
    });
  } catch (error) {
    // A mistake, or newer than the grammar: the server will say.
    if (!(error instanceof SyntaxRefused)) throw error;
    return scanStatements(text).map(({ start, end }) => ({ start, sql: text.slice(start, end), locks: [] }));
  }
}

import { AppError } from '../errors.ts';
import { readCallersFile } from '../host/callers-files.ts';
import { type Client, sqlState } from '../postgres/sql.ts';
import type { Check } from './catalogue.ts';

/** The operator's invariants. @throws USAGE when the file cannot be read or says nothing */
export function readInvariants(file: string): { file: string; text: string } {
  let text: string;
  try {
    text = readCallersFile(file);
  } catch (error) {
    throw new AppError('USAGE', `--verify-sql: ${file} cannot be read: ${(error as Error).message}`);
  }
  if (text.replaceAll(/--.*$/gm, '').trim() !== '') return { file, text };
  throw new AppError('USAGE', `--verify-sql: ${file} holds no SQL`, {
    hint: 'for example: select count(*) > 0 from orders;',
  });
}

interface Answer {
  fields?: { name: string; dataTypeID: number }[];
  rows?: unknown[][];
}

/** The type `boolean` (pg_type.dat in PostgreSQL's sources). */
const booleanType = 16;

/**
 * Asks all statements of a file, in one transaction. One that fails fails the check, and so does every row whose first column
 * is a boolean that is not true: null is no yes.
 */
export async function checkInvariants(client: Client, { file, text }: { file: string; text: string }): Promise<Check> {
  const check = { name: `SQL of ${file}` };
  let answers: Answer[];
  try {
    answers = [await client.query({ text, rowMode: 'array' })].flat() as Answer[];
  } catch (error) {
    if (sqlState(error) === undefined) throw error;
    const { message, position } = error as { message: string; position?: string };
    const line = position === undefined ? '' : `line ${text.slice(0, Number(position)).split('\n').length}: `;
    return { ...check, ok: false, detail: `${line}${message}` };
  }
  const wrong: string[] = [];
  let holding = 0;
  for (const [index, { fields = [], rows = [] }] of answers.entries()) {
    if (fields[0]?.dataTypeID !== booleanType) continue;
    const untrue = rows.filter((row) => row[0] !== true);
    holding += rows.length - untrue.length;
    if (untrue[0] !== undefined) wrong.push(`statement ${index + 1}: ${describe(fields, untrue[0])}`);
  }
  const counted = `${answers.length} statements, ${holding} rows true`;
  return { ...check, ok: wrong.length === 0, detail: wrong.length === 0 ? counted : wrong.slice(0, 5).join('; ') };
}

function describe(fields: { name: string }[], row: unknown[]): string {
  return fields.map(({ name }, column) => `${name} = ${String(row[column])}`).join(', ');
}

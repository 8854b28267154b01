import type { InlineData, Statement } from './scan.ts';
import { scanStatements } from './scan.ts';

/** A file as it goes to the server: its SQL without the data of COPY, which follows when the server asks for it. */
export interface Outgoing {
  text: string;
  cuts: Cut[];
  /** As they stand in the file. */
  statements: Statement[];
}

/** A piece of the file that is not in the text. */
interface Cut {
  /** Where in the text it is missing. */
  at: number;
  /** The semicolon of its COPY, in the text. */
  semicolonAt: number;
  /** How many characters of the file are missing. */
  length: number;
  data: string;
}

/**
 * Takes the data out and, where the whole file is to run in a transaction of ours, a BEGIN and COMMIT that stand around all
 * the rest.
 * @param all its statements, where they are known
 */
export function outgoing(sql: string, { unwrap }: { unwrap: boolean }, all = scanStatements(sql)): Outgoing {
  const wrapped = unwrap && isWrapped(all);
  const { text, cuts } = cut(wrapped ? blank(sql, [all[0], all.at(-1)]) : sql, all);
  return { text, cuts, statements: wrapped ? all.slice(1, -1) : all };
}

/** Where in the file a character of the text stands. */
export function offsetInFile({ cuts }: Outgoing, offset: number): number {
  return cuts.reduce((sum, { at, length }) => (at <= offset ? sum + length : sum), offset);
}

/** The data that a stretch of the text asks for, in order. */
export function dataWithin({ cuts }: Outgoing, start: number, end: number): string[] {
  return cuts.filter(({ semicolonAt }) => semicolonAt >= start && semicolonAt <= end).map(({ data }) => data);
}

export function beginsTransaction({ words: [first, second] }: Statement): boolean {
  return first === 'begin' || (first === 'start' && second === 'transaction');
}

export function commitsTransaction({ words: [first, second] }: Statement): boolean {
  return (first === 'commit' && second !== 'prepared') || first === 'end';
}

/** As golang-migrate's and psql's users write it. A BEGIN with a mode (ISOLATION LEVEL …) says more than we could keep. */
function isWrapped(statements: Statement[]): boolean {
  const [first, last] = [statements[0], statements.at(-1)];
  if (first === undefined || last === undefined || first === last) return false;
  const plain = first.words.slice(1).every((word) => word === 'work' || word === 'transaction');
  if (!beginsTransaction(first) || !plain || !commitsTransaction(last) || last.words.includes('chain')) return false;
  return !statements.slice(1, -1).some((one) => beginsTransaction(one) || commitsTransaction(one));
}

/** Spaces in their place, so that everything else stays where it is. */
function blank(sql: string, statements: (Statement | undefined)[]): string {
  return statements.reduce(
    (text, one) =>
      one === undefined
        ? text
        : text.slice(0, one.start) +
          text.slice(one.start, one.end + 1).replaceAll(/[^\n]/g, ' ') +
          text.slice(one.end + 1),
    sql,
  );
}

function cut(sql: string, statements: Statement[]): Pick<Outgoing, 'text' | 'cuts'> {
  const cuts: Cut[] = [];
  let text = '';
  let from = 0;
  for (const { data, end } of statements.filter(hasData)) {
    const semicolonAt = text.length + end - from;
    text += sql.slice(from, data.start);
    cuts.push({ at: text.length, semicolonAt, length: data.next - data.start, data: sql.slice(data.start, data.end) });
    from = data.next;
  }
  return { text: text + sql.slice(from), cuts };
}

function hasData(statement: Statement): statement is Statement & { data: InlineData } {
  return statement.data !== undefined;
}

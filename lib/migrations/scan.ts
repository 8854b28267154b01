/**
 * A reader of SQL that knows just enough of the server's lexer (src/backend/parser/scan.l) and of psql's (psqlscan.l) to tell
 * statements apart: strings, quoted names, dollar quotes, nested comments, parentheses, BEGIN ATOMIC bodies, and the data
 * that follows COPY … FROM stdin. It assumes `standard_conforming_strings = on`.
 */
export interface Statement {
  /** Where its first token stands, in UTF-16 units from the start of the text. */
  start: number;
  /** Where its semicolon stands, or the end of the text. */
  end: number;
  /** Its bare words outside parentheses, in lower case. */
  words: string[];
  /** Where a backslash stands outside of anything quoted: no SQL has that, so it is psql's. */
  backslashAt?: number;
  /** The lines after a COPY … FROM stdin, which are no SQL. */
  data?: InlineData;
}

/** Data as psql reads it: whole lines up to one that holds only `\.`, or to the end of the text. */
export interface InlineData {
  /** The first character of the first line. */
  start: number;
  /** Where the line of `\.` begins. */
  end: number;
  /** Where SQL goes on. */
  next: number;
}

/** The statements of a text, in order. Text without an end (an open quote) is one last statement: the server says what is wrong. */
export function scanStatements(sql: string): Statement[] {
  const statements: Statement[] = [];
  const cursor = { at: 0 };
  let current: Statement | undefined;
  let parentheses = 0;
  let blocks = 0;
  for (const token of tokens(sql, cursor)) {
    if (token.text === ';' && parentheses === 0 && blocks === 0) {
      if (current !== undefined) {
        current.end = token.at;
        if (copiesFromStdin(current)) {
          const data = inlineData(sql, cursor.at);
          if (data !== undefined) [current.data, cursor.at] = [data, data.next];
        }
        statements.push(current);
      }
      current = undefined;
      continue;
    }
    current ??= { start: token.at, end: sql.length, words: [] };
    if (token.text === '(') parentheses += 1;
    else if (token.text === ')') parentheses = Math.max(0, parentheses - 1);
    else if (token.text === '\\') current.backslashAt ??= token.at;
    else if (token.word && parentheses === 0) {
      const word = token.text.toLowerCase();
      current.words.push(word);
      blocks = Math.max(0, blocks + blockStep(word, current, blocks));
    }
  }
  if (current !== undefined) statements.push(current);
  return statements;
}

/** True for COPY … FROM stdin, whose rows the client sends. */
export function copiesFromStdin({ words }: Statement): boolean {
  return words[0] === 'copy' && words.some((word, index) => word === 'from' && words[index + 1] === 'stdin');
}

/** The data begins on the next line; where more SQL stands on this one, there is none that psql would read alike. */
function inlineData(sql: string, from: number): InlineData | undefined {
  const start = sql.indexOf('\n', from) + 1;
  if (start === 0 || sql.slice(from, start).trim() !== '') return undefined;
  const mark = /^\\\.\r?(?:\n|$(?![\s\S]))/gm;
  mark.lastIndex = start;
  const found = mark.exec(sql);
  return found === null
    ? { start, end: sql.length, next: sql.length }
    : { start, end: found.index, next: mark.lastIndex };
}

/** psql's rule for `CREATE FUNCTION … BEGIN ATOMIC …; END`: its semicolons end nothing, and CASE … END nests within it. */
function blockStep(word: string, { words }: Statement, blocks: number): number {
  if (blocks > 0 && word === 'case') return 1;
  if (blocks > 0 && word === 'end') return -1;
  return word === 'begin' && /^create (or replace )?(function|procedure)\b/.test(words.slice(0, 4).join(' ')) ? 1 : 0;
}

interface Token {
  at: number;
  text: string;
  word: boolean;
}

const space = /\s+|--[^\n\r]*/y;
const word = /[a-z_\u0080-\uffff][\w$\u0080-\uffff]*/iy;
const number = /\d[\w.]*/y;
const dollar = /\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/iy;

/** Goes on from wherever the cursor stands, which its reader may move. */
function* tokens(sql: string, cursor: { at: number }): Generator<Token> {
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = cursor.at;
    return pattern.exec(sql)?.[0];
  };
  while (cursor.at < sql.length) {
    const skipped = take(space);
    if (skipped !== undefined) {
      cursor.at += skipped.length;
      continue;
    }
    if (sql.startsWith('/*', cursor.at)) {
      cursor.at = commentEnd(sql, cursor.at);
      continue;
    }
    const start = cursor.at;
    const name = take(word);
    if (name !== undefined && sql[cursor.at + name.length] === "'" && /^e$/i.test(name)) {
      cursor.at = quoteEnd(sql, cursor.at + 2, "'", true);
      yield { at: start, text: "'", word: false };
      continue;
    }
    const text = name ?? take(number) ?? take(dollar) ?? sql.charAt(cursor.at);
    if (name === undefined && text.length > 1 && text.startsWith('$')) cursor.at = dollarEnd(sql, cursor.at, text);
    else if (text === "'" || text === '"') cursor.at = quoteEnd(sql, cursor.at + 1, text, false);
    else cursor.at += text.length;
    yield { at: start, text, word: name !== undefined };
  }
}

/** Where a comment ends; they nest, as the standard has it. */
function commentEnd(sql: string, at: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = at;
  let depth = 0;
  for (let mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return sql.length;
}

/** Where a string or quoted name ends; two quotes in a row stand for one, and need no rule: they end it and begin it anew. */
function quoteEnd(sql: string, from: number, quote: string, backslashes: boolean): number {
  for (let at = from; at < sql.length; at += 1) {
    if (backslashes && sql[at] === '\\') at += 1;
    else if (sql[at] === quote && backslashes && sql[at + 1] === quote) at += 1;
    else if (sql[at] === quote) return at + 1;
  }
  return sql.length;
}

function dollarEnd(sql: string, at: number, tag: string): number {
  const end = sql.indexOf(tag, at + tag.length);
  return end === -1 ? sql.length : end + tag.length;
}

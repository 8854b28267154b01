/**
 * A reader of SQL that knows just enough of the server's lexer (src/backend/parser/scan.l) and of psql's (psqlscan.l) to tell
 * statements apart: strings, quoted names, dollar quotes, nested comments, parentheses and BEGIN ATOMIC bodies.
 * It assumes `standard_conforming_strings = on`.
 */
export interface Statement {
  /** Where its first token stands, in UTF-16 units from the start of the text. */
  start: number;
  /** Its bare words outside parentheses, in lower case. */
  words: string[];
  /** Where a backslash stands outside of anything quoted: no SQL has that, so it is psql's. */
  backslashAt?: number;
}

/** The statements of a text, in order. Text without an end (an open quote) is one last statement: the server says what is wrong. */
export function scanStatements(sql: string): Statement[] {
  const statements: Statement[] = [];
  let current: Statement | undefined;
  let parentheses = 0;
  let blocks = 0;
  for (const token of tokens(sql)) {
    if (token.text === ';' && parentheses === 0 && blocks === 0) {
      if (current !== undefined) statements.push(current);
      current = undefined;
      continue;
    }
    current ??= { start: token.at, words: [] };
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

function* tokens(sql: string): Generator<Token> {
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(sql)?.[0];
  };
  while (at < sql.length) {
    const skipped = take(space);
    if (skipped !== undefined) {
      at += skipped.length;
      continue;
    }
    if (sql.startsWith('/*', at)) {
      at = commentEnd(sql, at);
      continue;
    }
    const start = at;
    const name = take(word);
    if (name !== undefined && sql[at + name.length] === "'" && /^e$/i.test(name)) {
      at = quoteEnd(sql, at + 2, "'", true);
      yield { at: start, text: "'", word: false };
      continue;
    }
    const text = name ?? take(number) ?? take(dollar) ?? sql.charAt(at);
    if (name === undefined && text.length > 1 && text.startsWith('$')) at = dollarEnd(sql, at, text);
    else if (text === "'" || text === '"') at = quoteEnd(sql, at + 1, text, false);
    else at += text.length;
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

import { scanStatements } from './scan.ts';

/** One direction of a migration, as it goes to the server. */
export interface Script {
  /** Its lines keep the numbers that they have in the file. */
  sql: string;
  /** False where the file says that it must not run in a transaction. */
  transaction: boolean;
}

export interface Sections {
  up: Script;
  down: Script | undefined;
  /** The tool whose marks divide the file; undefined for a file without any. */
  tool: string | undefined;
}

/** Why a file's marks cannot be understood. */
export class MarksUnclear extends Error {}

/** How the tools mark the two halves of a file, each at the head of a line. */
const tools: Record<string, { mark: RegExp; nonTransactional?: RegExp }> = {
  dbmate: { mark: /^--[ \t]*migrate:(up|down)\b/gim },
  'node-pg-migrate': { mark: /^[ \t]*--[ \t-]*(up|down)[ \t]+migration\b/gim },
  goose: {
    mark: /^--[ \t]*\+goose[ \t]+(up|down)\b/gim,
    nonTransactional: /^--[ \t]*\+goose[ \t]+no[ \t]+transaction\b/im,
  },
};

/** dbmate says it on the line of the mark, graphile-migrate on a line before any SQL. */
const optedOut = /^--[ \t]*migrate:(?:up|down)\b.*\btransaction:[ \t]*false\b|^--![ \t]*no-transaction\b/im;

/**
 * Divides a file into what applies it and what undoes it. A file without marks is all forward.
 * @throws MarksUnclear
 */
export function readSections(text: string): Sections {
  const found = Object.entries(tools).flatMap(([tool, { mark }]) => {
    const marks = [...text.matchAll(mark)].map((match) => ({ at: match.index, up: match[1]?.toLowerCase() === 'up' }));
    return marks.length > 0 ? [{ tool, marks }] : [];
  });
  const [first, second] = found;
  if (first === undefined) {
    return { up: script(text, 0, text.length), down: undefined, tool: undefined };
  }
  if (second !== undefined) throw new MarksUnclear(`it has the marks of both ${first.tool} and ${second.tool}`);
  return divide(text, first.tool, first.marks);
}

function divide(text: string, tool: string, marks: { at: number; up: boolean }[]): Sections {
  const part = (up: boolean): Script | undefined => {
    const own = marks.filter((mark) => mark.up === up);
    if (own.length > 1) throw new MarksUnclear(`it has ${own.length} sections "${up ? 'up' : 'down'}"`);
    const [mark] = own;
    if (mark === undefined) return undefined;
    const next = marks[marks.indexOf(mark) + 1];
    return script(text, mark.at, next?.at ?? text.length, tools[tool]?.nonTransactional?.test(text));
  };
  const [up, down] = [part(true), part(false)];
  const head = text.slice(0, marks[0]?.at);
  if (up !== undefined && scanStatements(head).length > 0) {
    throw new MarksUnclear('SQL stands before its first section');
  }
  return { up: up ?? script(text, 0, head.length), down, tool };
}

function script(text: string, from: number, to: number, whole = false): Script {
  const lines = text.slice(0, from).split('\n').length - 1;
  const sql = text.slice(from, to);
  return { sql: '\n'.repeat(lines) + sql, transaction: !whole && !optedOut.test(sql) };
}

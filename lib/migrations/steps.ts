import { createHash } from 'node:crypto';
import { type Grammar, type ParseNode, SyntaxRefused } from '../postgres/grammar.ts';
import { beginsTransaction, commitsTransaction, type Outgoing } from './outgoing.ts';
import { type Statement, scanStatements } from './scan.ts';
import { isConcurrent, runsAlone } from './transactional.ts';
import type { Stretch } from './transaction.ts';

/** What is run, and noted, as one: a statement, or all from a BEGIN to its COMMIT. */
export interface Step extends Stretch {
  /** From 1, in the order of the file. */
  number: number;
  /** Which statement of the file is its first, from 0. */
  first: number;
  checksum: string;
  /** The server runs it only outside a transaction. */
  alone: boolean;
  /** It waits for locks without keeping others from theirs. */
  concurrent: boolean;
  /** Changes the session and nothing else: done again when a later run goes on from here. */
  setting: boolean;
  /** Its parse tree; absent for several statements, and where the grammar does not know it. */
  tree?: { kind: string; node: ParseNode };
}

/** Why a file cannot be run statement by statement, and where in its text. */
export class StepsRefused extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

interface Piece {
  start: number;
  end: number;
  scanned: Statement;
  tree?: { kind: string; node: ParseNode };
}

/**
 * Divides a file into steps, by PostgreSQL's own grammar.
 * @param known false where the server is newer than the grammar: what that refuses, the server may understand
 * @throws StepsRefused
 */
export function planSteps(out: Outgoing, grammar: Grammar, known: boolean): Step[] {
  const pieces = grouped(split(out.text, grammar, known));
  let first = 0;
  return pieces.map((group, index): Step => {
    const [piece, ...more] = group;
    const block = more.length > 0;
    const inner = block ? group.slice(1, -1) : group;
    const [start, end] = [inner[0]?.start ?? piece.start, inner.at(-1)?.end ?? piece.start];
    const step = {
      number: index + 1,
      first: block ? first + 1 : first,
      start,
      end,
      count: inner.length,
      checksum: checksum(out, group),
      alone: !block && runsAlone(piece.scanned),
      concurrent: !block && isConcurrent(piece.scanned),
      setting: !block && piece.tree?.kind === 'VariableSetStmt',
      ...(block || piece.tree === undefined ? {} : { tree: piece.tree }),
    };
    first += group.length;
    return step;
  });
}

function split(text: string, grammar: Grammar, known: boolean): Piece[] {
  try {
    return grammar.parse(text).map(({ start, end, kind, node }) => {
      // The parser gives the comments before a statement to it; they are not sent, and do not count in its checksum.
      const [scanned] = scanStatements(text.slice(start, end));
      const from = start + (scanned?.start ?? 0);
      return { start: from, end, tree: { kind, node }, scanned: scanned ?? { start: 0, end: 0, words: [] } };
    });
  } catch (error) {
    if (!(error instanceof SyntaxRefused)) throw error;
    if (known) throw new StepsRefused(error.message, error.at);
    return scanStatements(text).map((scanned) => ({ start: scanned.start, end: scanned.end, scanned }));
  }
}

type Group = [Piece, ...Piece[]];

/** A transaction of the file's own is one step: it happens whole or not at all, and so does its note. */
function grouped(pieces: Piece[]): Group[] {
  const groups: Group[] = [];
  let open: Group | undefined;
  for (const piece of pieces) {
    const [first, second] = piece.scanned.words;
    const undoes = first === 'rollback' || first === 'abort' || (first === 'prepare' && second === 'transaction');
    if (undoes && second !== 'to' && second !== 'prepared' && !piece.scanned.words.includes('to')) {
      throw new StepsRefused(`${first.toUpperCase()} undoes what the file does`, piece.start);
    }
    const ends = commitsTransaction(piece.scanned);
    if (ends && open === undefined) throw new StepsRefused('COMMIT without BEGIN', piece.start);
    if (open === undefined && beginsTransaction(piece.scanned)) open = [piece];
    else if (open === undefined) groups.push([piece]);
    else open.push(piece);
    if (ends && open !== undefined) {
      groups.push(open);
      open = undefined;
    }
  }
  if (open !== undefined) throw new StepsRefused('BEGIN without COMMIT', open[0].start);
  return groups;
}

/** Of the file's own text, with the data of COPY, blind to line ends. */
function checksum(out: Outgoing, group: Group): string {
  const hash = createHash('sha256').update(out.text.slice(group[0].start, group.at(-1)?.end).replaceAll('\r\n', '\n'));
  const [from, to] = [group[0].start, group.at(-1)?.end ?? 0];
  for (const { semicolonAt, data } of out.cuts) if (semicolonAt >= from && semicolonAt <= to) hash.update(data);
  return hash.digest('hex');
}

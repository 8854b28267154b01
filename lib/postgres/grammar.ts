import { join } from 'node:path';
import { readCallersBytes } from '../host/callers-files.ts';
import { projectDirectory } from '../host/project.ts';

/** A statement as PostgreSQL's own parser sees it. */
export interface ParsedStatement {
  /** Where its text begins (a comment before it may belong to it) and ends, in UTF-16 units. */
  start: number;
  end: number;
  /** The kind of its parse tree ("IndexStmt") and that tree: the structs of src/include/nodes/parsenodes.h as JSON. */
  kind: string;
  node: ParseNode;
}

export type ParseNode = Readonly<Record<string, unknown>>;

/** What the grammar refuses, and where, in UTF-16 units. */
export class SyntaxRefused extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** The server's major version whose grammar this is. */
export const grammarMajor = 18;

export interface Grammar {
  /** @throws SyntaxRefused */
  parse(sql: string): ParsedStatement[];
}

let loading: Promise<Grammar> | undefined;

/**
 * PostgreSQL's parser (libpg_query, compiled to WebAssembly). Loaded at the first call, in some 20 ms: most runs need none.
 * @throws the system's error when its file is not among the dependencies
 */
export async function loadGrammar(): Promise<Grammar> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Grammar> {
  const { default: instantiate } = await import('libpg-query/wasm/libpg-query.js');
  // Its own loader looks for the file beside itself, which in our bundle is nowhere, and with the rights of the data's owner.
  const path = join(projectDirectory, 'node_modules', 'libpg-query', 'wasm', 'libpg-query.wasm');
  const code = await WebAssembly.compile(readCallersBytes(path));
  const library = await instantiate({
    instantiateWasm: (imports, ready) => ready(new WebAssembly.Instance(code, imports)),
  });
  return { parse: (sql) => parse(library, sql) };
}

/** What we use of the module that Emscripten makes. */
export interface Library {
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _wasm_parse_query_raw(text: number): number;
  _wasm_free_parse_result(result: number): void;
  lengthBytesUTF8(text: string): number;
  stringToUTF8(text: string, pointer: number, bytes: number): void;
  UTF8ToString(pointer: number): string;
  getValue(pointer: number, type: 'i32'): number;
}

interface Tree {
  stmts?: { stmt: Record<string, ParseNode>; stmt_location?: number; stmt_len?: number }[];
}

function parse(library: Library, sql: string): ParsedStatement[] {
  const { stmts = [] } = JSON.parse(parseToJson(library, sql)) as Tree;
  const offset = offsetsOfBytes(sql);
  return stmts.map(({ stmt, stmt_location: from = 0, stmt_len: length }) => {
    const [kind = '', node = {}] = Object.entries(stmt)[0] ?? [];
    // A length of 0 means: to the end of the text (RawStmt, parsenodes.h).
    return { start: offset(from), end: length ? offset(from + length) : sql.length, kind, node };
  });
}

/** PgQueryParseResult (pg_query.h): the tree's text, what went to stderr, the error, each a pointer of four bytes. */
function parseToJson(library: Library, sql: string): string {
  const bytes = library.lengthBytesUTF8(sql) + 1;
  const text = library._malloc(bytes);
  library.stringToUTF8(sql, text, bytes);
  const result = library._wasm_parse_query_raw(text);
  try {
    const error = library.getValue(result + 8, 'i32');
    if (error === 0) return library.UTF8ToString(library.getValue(result, 'i32'));
    // PgQueryError: message, function, file, line, cursor position (in characters from 1), context.
    const message = library.UTF8ToString(library.getValue(error, 'i32'));
    const position = Math.max(1, library.getValue(error + 16, 'i32'));
    const before = Array.from(sql).slice(0, position - 1);
    throw new SyntaxRefused(message, before.join('').length);
  } finally {
    library._wasm_free_parse_result(result);
    library._free(text);
  }
}

/** Translates ascending offsets in UTF-8, as the parser counts, into UTF-16 units, as JavaScript does. */
function offsetsOfBytes(sql: string): (byte: number) => number {
  const bytes = Buffer.from(sql);
  let [at, units] = [0, 0];
  return (byte) => {
    if (byte < at) [at, units] = [0, 0];
    units += bytes.toString('utf8', at, byte).length;
    at = byte;
    return units;
  };
}

import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';
import { nearest } from './nearest.ts';

/** Where something stands in a file, both from 1. */
export interface Place {
  line: number;
  column: number;
}

/** What is wrong with a file that somebody wrote, and where. */
export interface Fault extends Place {
  text: string;
}

type Path = readonly PropertyKey[];

export interface FileWords {
  /** What the file as a whole is called in a sentence: `the template`. */
  whole: string;
  /** The keys that may stand at a place of the file. */
  keysAt(path: Path): readonly string[];
  /** What to say of an unknown key, where that is more than the nearest one. @param meant the nearest */
  advise?(key: string, meant: string | undefined): string | undefined;
}

export type ReadYaml<T> =
  { faults: Fault[]; value?: never } | { value: T; document: Document; placeOf(path: Path): Place; faults?: never };

/**
 * Reads YAML that people write. Its values are plain text (YAML's "failsafe" schema), so that `on`, `0640` and `1e6` stay as
 * they were written; the shape makes of them what it wants. Every fault is told with its place.
 */
export function readYaml<T>(text: string, shape: z.ZodType<T>, words: FileWords): ReadYaml<T> {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: 'failsafe', merge: true, lineCounter: lines });
  const at = (offset: number | undefined): Place => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { line, column: col };
  };
  if (document.errors.length > 0) {
    return { faults: document.errors.map(({ pos, message }) => ({ ...at(pos[0]), text: firstLine(message) })) };
  }
  const placeOf = (path: Path): Place => at(keyOffset(document, path));
  const parsed = shape.safeParse(document.toJS());
  if (parsed.success) return { value: parsed.data, document, placeOf };
  return { faults: parsed.error.issues.flatMap((issue) => explain(issue, placeOf, words)) };
}

/** Every fault in the order of the file, as `PATH:LINE:COLUMN: …`. */
export function tellFaults(path: string, faults: readonly Fault[]): string[] {
  return faults
    .toSorted((a, b) => a.line - b.line || a.column - b.column)
    .map(({ line, column, text }) => `${path}:${line}:${column}: ${text}`);
}

function explain(issue: z.core.$ZodIssue, placeOf: (path: Path) => Place, words: FileWords): Fault[] {
  if (issue.code !== 'unrecognized_keys') {
    const what = issue.path.length === 0 ? words.whole : issue.path.join('.');
    return [{ ...placeOf(issue.path), text: `${what}: ${issue.message}` }];
  }
  const known = words.keysAt(issue.path);
  return issue.keys.map((key) => {
    const meant = nearest(key, known);
    const usual = meant === undefined ? `known are ${known.join(', ')}` : `did you mean ${meant}?`;
    const advice = words.advise?.(key, meant) ?? usual;
    return { ...placeOf([...issue.path, key]), text: `unknown key "${key}"; ${advice}` };
  });
}

/** Where a key stands in the text; where it is missing, the innermost that is there. */
function keyOffset(document: Document, path: Path): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const name of path) {
    if (!isMap(node)) return offset;
    const pair = node.items.find(({ key }) => isScalar(key) && key.value === name);
    if (!isScalar(pair?.key)) return offset;
    offset = pair.key.range?.[0];
    node = pair.value;
  }
  return offset;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

import { identifier, literal } from '../postgres/sql.ts';
import type { Direction } from './history.ts';

/** Which file, in which direction, a statement belongs to. */
export interface NotesKey {
  schema: string;
  version: string;
  direction: Direction;
}

const everyIndex = '(SELECT pg_catalog.array_agg(indexrelid) FROM pg_catalog.pg_index)';

/** SQL that notes a statement: before one that runs alone as `begun`, with one that runs in a transaction as `done`. */
export function noteSql(
  { schema, version, direction }: NotesKey,
  { number, checksum }: { number: number; checksum: string },
  state: 'begun' | 'done',
): string {
  const key = `${literal(version)}, ${literal(direction)}, ${number}, ${literal(checksum)}`;
  const indexes = state === 'begun' ? everyIndex : "'{}'";
  return `INSERT INTO ${identifier(schema)}.statements (version, direction, statement, checksum, state, indexes)
    VALUES (${key}, '${state}', ${indexes})
    ON CONFLICT (version, direction, statement) DO UPDATE SET checksum = excluded.checksum, state = excluded.state,
      indexes = CASE excluded.state WHEN 'begun' THEN excluded.indexes ELSE statements.indexes END, at = excluded.at`;
}

/** SQL that forgets a file's statements: it is done, and its row in the history says so. */
export function forgetSql({ schema, version, direction }: NotesKey): string {
  return `DELETE FROM ${identifier(schema)}.statements
    WHERE version = ${literal(version)} AND direction = ${literal(direction)}`;
}

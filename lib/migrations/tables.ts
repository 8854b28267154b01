import type { Client } from '../postgres/sql.ts';

/** What of a schema there is: its tables, and the columns of each. */
export type Present = ReadonlyMap<string, readonly string[]>;

export async function presentTables(client: Client, schema: string): Promise<Present> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `SELECT c.relname AS name, pg_catalog.array_agg(a.attname::text) AS columns
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE n.nspname = $1 AND c.relkind = 'r' GROUP BY 1`,
    [schema],
  );
  return new Map(rows.map(({ name, columns }) => [name, columns]));
}

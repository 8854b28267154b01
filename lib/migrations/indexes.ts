import { AppError } from '../errors.ts';
import type { ParseNode } from '../postgres/grammar.ts';
import { identifier, type Client } from '../postgres/sql.ts';
import type { Sent } from './failure.ts';
import type { Step } from './steps.ts';

/** What a CREATE INDEX CONCURRENTLY makes, as the statement writes it: names ready for SQL. */
export interface MadeIndex {
  table: string;
  /** Absent where the server is left to choose the name. */
  index: string | undefined;
}

/** The index that a step makes outside a transaction; undefined for any other step. */
export function madeIndex({ tree }: Pick<Step, 'tree'>): MadeIndex | undefined {
  if (tree?.kind !== 'IndexStmt' || tree.node['concurrent'] !== true) return undefined;
  const relation = tree.node['relation'] as ParseNode;
  const name = tree.node['idxname'] as string | undefined;
  // An index lives in the schema of its table.
  return { table: nameOf(relation), index: name && nameOf({ ...relation, relname: name }) };
}

/** The name of a RangeVar, quoted for SQL. */
export function nameOf({ schemaname, relname }: ParseNode): string {
  return [schemaname, relname].flatMap((part) => (typeof part === 'string' ? [identifier(part)] : [])).join('.');
}

export interface InvalidIndex {
  /** Quoted for SQL. */
  name: string;
  table: string;
}

/** Every index of the database that a failed build has left invalid: it is written to, and never read. */
export async function invalidIndexes(client: Client): Promise<InvalidIndex[]> {
  const { rows } = await client.query<InvalidIndex>(
    `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, i.indrelid::pg_catalog.regclass::text AS "table"
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT i.indisvalid AND c.relkind = 'i'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
     ORDER BY 1`,
  );
  return rows;
}

/** What to type about an invalid index. */
export function repairOf({ name }: InvalidIndex): string {
  return `DROP INDEX CONCURRENTLY ${name}; and build it again, or REINDEX INDEX CONCURRENTLY ${name};`;
}

/**
 * After a statement that says that it has made an index: IF NOT EXISTS takes an invalid one of that name for good.
 * @throws MIGRATION_FAILED naming it
 */
export async function assertValid(client: Client, { what, version, file }: Sent, step: Step): Promise<void> {
  const index = madeIndex(step)?.index;
  if (index === undefined || !(await isInvalid(client, index))) return;
  throw new AppError(
    'MIGRATION_FAILED',
    `${file}: the index ${index} is there and invalid: an earlier build of it failed`,
    {
      hint: `DROP INDEX CONCURRENTLY ${index}; then run ${what} again, which builds it`,
      data: { version, file, index },
    },
  );
}

/** What a failed CREATE INDEX CONCURRENTLY has left, for a hint; undefined where that is nothing or cannot be asked. */
export async function describeInvalid(client: Client, step: Step): Promise<string | undefined> {
  const made = madeIndex(step);
  if (made === undefined) return undefined;
  const left = await invalidIndexes(client).catch(() => []);
  return left.length === 0
    ? undefined
    : `an invalid index is left (${left.map(({ name }) => name).join(', ')}), which the next run drops before it builds it again`;
}

async function isInvalid(client: Client, index: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass($1) AND NOT indisvalid',
    [index],
  );
  return rowCount !== 0;
}

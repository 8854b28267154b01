import type { ParseNode } from '../postgres/grammar.ts';
import { type Client, identifier } from '../postgres/sql.ts';
import type { StatementRecord } from './history.ts';
import { madeIndex, nameOf } from './indexes.ts';
import type { Step } from './steps.ts';

/** What became of a statement whose run ended before it could be noted: nothing is left to do, or it has to run again. */
interface Settled {
  done: boolean;
  notice?: string;
}

/**
 * Finds out what became of a statement that was begun outside a transaction, and clears away what it left half done: the
 * session that ran it is gone, because its lock is ours now.
 */
export async function settle(client: Client, step: Step, begun: StatementRecord): Promise<Settled> {
  const { kind, node } = step.tree ?? { kind: '', node: {} };
  switch (kind) {
    case 'IndexStmt':
      return settleIndex(client, step, begun);
    case 'ReindexStmt':
      await dropLeftovers(client, begun);
      return { done: false };
    case 'DropStmt':
      return { done: !(await isThere(client, droppedName(node))) };
    case 'CreatedbStmt':
      return { done: await isDatabase(client, node) };
    case 'DropdbStmt':
      return { done: !(await isDatabase(client, node)) };
    case 'AlterTableStmt':
      return settleDetach(client, node);
    // These come to the same however often they run.
    case 'VacuumStmt':
    case 'AlterSystemStmt':
    case 'ClusterStmt':
      return { done: false };
    default:
      return {
        done: false,
        notice: `statement ${step.number} was begun by a run that ended, and may have done its work: it runs again`,
      };
  }
}

/** An index on that table that was not there before: made, or half made. */
async function settleIndex(client: Client, step: Step, { indexes }: StatementRecord): Promise<Settled> {
  const made = madeIndex(step);
  if (made === undefined) return { done: false };
  const { rows } = await client.query<{ name: string; valid: boolean }>(
    `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, i.indisvalid AS valid
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indexrelid <> ALL ($2::oid[])
       AND ($3::text IS NULL OR i.indexrelid = pg_catalog.to_regclass($3))`,
    [made.table, indexes, made.index ?? null],
  );
  for (const { name } of rows.filter(({ valid }) => !valid)) await client.query(`DROP INDEX CONCURRENTLY ${name}`);
  return { done: rows.some(({ valid }) => valid) };
}

/** REINDEX CONCURRENTLY builds beside the old index, under a name that ends so (PostgreSQL's documentation, REINDEX). */
async function dropLeftovers(client: Client, { indexes }: StatementRecord): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND n.nspname NOT LIKE 'pg\\_%'
       AND (c.relname ~ '_ccold[0-9]*$' OR i.indexrelid <> ALL ($1::oid[]))`,
    [indexes],
  );
  for (const { name } of rows) await client.query(`DROP INDEX CONCURRENTLY ${name}`);
}

/** DETACH PARTITION CONCURRENTLY works in two transactions; between them the partition is marked, and FINALIZE ends it. */
async function settleDetach(client: Client, { relation, cmds }: ParseNode): Promise<Settled> {
  const [command] = cmds as { AlterTableCmd?: { def?: { PartitionCmd?: { name: ParseNode } } } }[];
  const partition = command?.AlterTableCmd?.def?.PartitionCmd?.name;
  if (partition === undefined) return { done: false };
  const [table, part] = [nameOf(relation as ParseNode), nameOf(partition)];
  const { rows } = await client.query<{ pending: boolean }>(
    `SELECT inhdetachpending AS pending FROM pg_catalog.pg_inherits
     WHERE inhparent = pg_catalog.to_regclass($1) AND inhrelid = pg_catalog.to_regclass($2)`,
    [table, part],
  );
  const [found] = rows;
  if (found?.pending) await client.query(`ALTER TABLE ${table} DETACH PARTITION ${part} FINALIZE`);
  return { done: found === undefined || found.pending };
}

function droppedName({ objects }: ParseNode): string {
  const [object] = objects as { List: { items: { String: { sval: string } }[] } }[];
  return object?.List.items.map((item) => identifier(item.String.sval)).join('.') ?? '';
}

async function isThere(client: Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>('SELECT pg_catalog.to_regclass($1) IS NOT NULL AS found', [
    name,
  ]);
  return rows[0]?.found === true;
}

async function isDatabase(client: Client, { dbname }: ParseNode): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM pg_catalog.pg_database WHERE datname = $1', [dbname]);
  return rowCount !== 0;
}

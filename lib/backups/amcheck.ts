import { type Client, identifier, sqlState } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { humanBytes } from '../tuning/sizes.ts';
import type { Check } from './catalogue.ts';
import type { Level } from './levels.ts';

export type Ask = <T>(database: string, question: (client: Client) => Promise<T>) => Promise<T>;

/** Something to be read to its last page: an index, or a span of a table's blocks. */
export interface Piece {
  kind: 'index' | 'heap';
  oid: number;
  name: string;
  bytes: number;
  /** Compare the index with its table, row by row: that takes many times as long as reading both. */
  withHeap: boolean;
  /** The first and last block; the whole table when null. */
  blocks: [number, number] | null;
}

/** Each is asked over a connection of its own; more would take the processors from the living server. */
const connections = 2;
/** A table is cut into spans of so many blocks (128 MiB), so that one that is large keeps no connection waiting. */
const spanBlocks = 16_384;
/** So much is asked by one query: small relations are many. */
const batchBytes = 32 * 1024 * 1024;
const batchPieces = 200;
/** The largest table whose indexes are compared with it, row by row, below the level `full`. */
const comparedBytes = 32 * 1024 * 1024;

/**
 * Reads every B-tree index and every table of one database with PostgreSQL's own checker (its documentation, "amcheck"). Only
 * for a copy: the extension is made in it where it is not there.
 */
export async function checkRelations(ask: Ask, database: string, level: Level, task: Task): Promise<Check> {
  const check = { name: `indexes and tables of ${database}` };
  const functions = await ask(database, provideAmcheck);
  if (functions === undefined) {
    const detail = 'the extension amcheck is not installed on this machine (apt-get install postgresql-contrib)';
    return { ...check, ok: false, possible: false, detail };
  }
  const pieces = await ask(database, async (client) => await listPieces(client, level, functions.heaps));
  const batches = planBatches(pieces);
  const total = pieces.reduce((sum, { bytes }) => sum + bytes, 0);
  const wrong: string[] = [];
  await task.step(`check ${database}`, async (step) => {
    let read = 0;
    const worker = async (): Promise<void> =>
      await ask(database, async (client) => {
        for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
          wrong.push(...(await checkBatch(client, functions.schema, level, batch)));
          read += batch.reduce((sum, { bytes }) => sum + bytes, 0);
          step.progress(`${humanBytes(read)} of ${humanBytes(total)}`);
        }
      });
    await Promise.all(Array.from({ length: Math.min(connections, batches.length) }, worker));
    step.result(humanBytes(total));
  });
  const detail = wrong.length === 0 ? describe(pieces, functions.heaps) : wrong.slice(0, 5).join('; ');
  return { ...check, ok: wrong.length === 0, detail };
}

/** The schema of amcheck's functions, and whether they check tables too; undefined when the machine does not have it. */
async function provideAmcheck(client: Client): Promise<{ schema: string; heaps: boolean } | undefined> {
  const { rows: available } = await client.query("select from pg_available_extensions where name = 'amcheck'");
  if (available.length === 0) return undefined;
  await client.query('create extension if not exists amcheck schema pg_catalog; alter extension amcheck update');
  const { rows } = await client.query<{ schema: string; heaps: boolean }>(
    `select n.nspname as schema, exists (select from pg_proc where proname = 'verify_heapam' and pronamespace = n.oid) as heaps
       from pg_extension e join pg_namespace n on n.oid = e.extnamespace where extname = 'amcheck'`,
  );
  return rows[0];
}

/** Unlogged and temporary relations are empty after a recovery, and are left out. */
async function listPieces(client: Client, level: Level, heaps: boolean): Promise<Piece[]> {
  const { rows } = await client.query<Piece & { kind: Piece['kind'] }>(
    `select 'index' as kind, c.oid::int8::float8 as oid, c.oid::regclass::text as name,
            pg_relation_size(c.oid)::float8 as bytes,
            $1 or (pg_relation_size(i.indrelid) <= $2 and i.indexprs is null and i.indpred is null) as "withHeap",
            null as blocks
       from pg_class c join pg_index i on i.indexrelid = c.oid join pg_am a on a.oid = c.relam
      where c.relkind = 'i' and a.amname = 'btree' and i.indisvalid and i.indisready and c.relpersistence = 'p'
     union all
     select 'heap', c.oid::int8::float8, c.oid::regclass::text, pg_relation_size(c.oid)::float8, false, null
       from pg_class c join pg_am a on a.oid = c.relam
      where $3 and c.relkind in ('r', 'm', 't') and a.amname = 'heap' and c.relpersistence = 'p'
        and pg_relation_size(c.oid) > 0`,
    [level === 'full', comparedBytes, heaps],
  );
  return rows;
}

/** What to ask for by one query each, the largest first: pure. */
export function planBatches(pieces: readonly Piece[]): Piece[][] {
  const blockBytes = 8192;
  const spans = pieces.flatMap((piece) => {
    const blocks = Math.ceil(piece.bytes / blockBytes);
    if (piece.kind === 'index' || blocks <= spanBlocks) return [piece];
    return Array.from({ length: Math.ceil(blocks / spanBlocks) }, (_, span): Piece => {
      const [first, last] = [span * spanBlocks, Math.min((span + 1) * spanBlocks, blocks) - 1];
      return { ...piece, bytes: (last - first + 1) * blockBytes, blocks: [first, last] };
    });
  });
  const batches: Piece[][] = [];
  for (const kind of ['index', 'heap'] as const) {
    for (const withHeap of [true, false]) {
      let batch: Piece[] = [];
      let bytes = 0;
      for (const piece of spans.filter((one) => one.kind === kind && one.withHeap === withHeap)) {
        const alone = piece.blocks !== null || piece.bytes > batchBytes;
        if (alone) {
          batches.push([piece]);
          continue;
        }
        if (batch.length >= batchPieces || bytes + piece.bytes > batchBytes) [batch, bytes] = [[], 0];
        if (batch.length === 0) batches.push(batch);
        batch.push(piece);
        bytes += piece.bytes;
      }
    }
  }
  const sizeOf = (batch: Piece[]): number => batch.reduce((sum, { bytes }) => sum + bytes, 0);
  return batches.sort((a, b) => sizeOf(b) - sizeOf(a));
}

/** @returns what is wrong, by relation */
async function checkBatch(client: Client, schema: string, level: Level, batch: readonly Piece[]): Promise<string[]> {
  const [first] = batch;
  if (first === undefined) return [];
  try {
    return first.kind === 'index'
      ? await checkIndexes(client, schema, first.withHeap, batch)
      : await checkHeaps(client, schema, level, batch);
  } catch (error) {
    if (sqlState(error) === undefined) throw error;
    if (batch.length === 1) return [`${first.name}: ${(error as Error).message}`];
    // One by one, so that each that is damaged is named, and the others are read all the same.
    const wrong: string[] = [];
    for (const piece of batch) wrong.push(...(await checkBatch(client, schema, level, [piece])));
    return wrong;
  }
}

async function checkIndexes(
  client: Client,
  schema: string,
  withHeap: boolean,
  batch: readonly Piece[],
): Promise<string[]> {
  const sql = `select ${identifier(schema)}.bt_index_check(index, $2) from unnest($1::oid[]) index`;
  await client.query(sql, [batch.map(({ oid }) => oid), withHeap]);
  return [];
}

async function checkHeaps(client: Client, schema: string, level: Level, batch: readonly Piece[]): Promise<string[]> {
  const blocks = batch[0]?.blocks ?? [null, null];
  const { rows } = await client.query<{ name: string; block: string; message: string }>(
    `select relation::regclass::text as name, blkno::text as block, msg as message
       from unnest($1::oid[]) relation,
            ${identifier(schema)}.verify_heapam(relation, check_toast => $2, startblock => $3, endblock => $4) limit 20`,
    [batch.map(({ oid }) => oid), level === 'full', ...blocks],
  );
  return rows.map(({ name, block, message }) => `${name}, block ${block}: ${message}`);
}

function describe(pieces: readonly Piece[], heaps: boolean): string {
  const indexes = pieces.filter(({ kind }) => kind === 'index');
  const compared = indexes.filter(({ withHeap }) => withHeap).length;
  const tables = heaps ? `, ${pieces.length - indexes.length} tables` : '; tables need PostgreSQL 14';
  return `${indexes.length} indexes (${compared} compared with their tables)${tables}`;
}

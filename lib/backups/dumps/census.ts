import * as z from 'zod';
import { type Client, identifier } from '../../postgres/sql.ts';
import { maintenance, ownSchema } from './maintenance.ts';

export const dumpCensusSchema = z.object({
  /** How many of each kind there are: tables, indexes, views, functions … */
  objects: z.record(z.string(), z.number()),
  /** How many rows each table has; of a dump of definitions, none. */
  tables: z.array(z.object({ schema: z.string(), name: z.string(), rows: z.number() })),
});

/** What one database holds that a dump of it must bring back. */
export type DumpCensus = z.output<typeof dumpCensusSchema>;

/** What the server, its extensions and this tool bring along themselves is left out: a dump has none of it. */
const ownObjects = `
  spaces as (
    select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
       and (current_database(), nspname) <> ('${maintenance}', '${ownSchema}')),
  brought as (select classid, objid from pg_depend where deptype = 'e'),
  relations as (
    select c.oid, c.relkind, c.relnamespace, c.relname
      from pg_class c left join pg_index i on i.indexrelid = c.oid
     where c.relnamespace in (select oid from spaces) and c.relpersistence <> 't'
       and (i.indexrelid is null or i.indisvalid)
       and (1259, coalesce(i.indrelid, c.oid)) not in (select classid::int, objid from brought))`;

/**
 * Counts what is in a database, in the transaction that the client is in.
 * @param rows whether each table is read for its number of rows
 */
export async function countDatabase(client: Client, rows: boolean): Promise<DumpCensus> {
  const objects = await client.query<{ kind: string; count: number }>(
    `with ${ownObjects}
     select case relkind when 'r' then 'tables' when 'p' then 'partitioned tables' when 'v' then 'views'
                         when 'm' then 'materialized views' when 'S' then 'sequences' when 'f' then 'foreign tables'
                         when 'c' then 'composite types' when 'i' then 'indexes' when 'I' then 'partitioned indexes'
                         else relkind::text end as kind, count(*)::int as count
       from relations group by relkind
     union all
     select 'constraints', count(*)::int from pg_constraint where conrelid in (select oid from relations)
     union all
     select 'triggers', count(*)::int from pg_trigger where not tgisinternal and tgrelid in (select oid from relations)
     union all
     select 'functions', count(*)::int from pg_proc
      where pronamespace in (select oid from spaces)
        and oid not in (select objid from brought where classid = 'pg_proc'::regclass)
     order by 1`,
  );
  return {
    objects: Object.fromEntries(objects.rows.map(({ kind, count }) => [kind, count])),
    tables: rows ? await countRows(client) : [],
  };
}

async function countRows(client: Client): Promise<DumpCensus['tables']> {
  const { rows: tables } = await client.query<{ schema: string; name: string }>(
    `with ${ownObjects}
     select n.nspname as schema, relname as name from relations join pg_namespace n on n.oid = relnamespace
      where relkind = 'r' order by 1, 2`,
  );
  const counted: DumpCensus['tables'] = [];
  for (const { schema, name } of tables) {
    // ONLY: a parent of tables that inherit from it would count theirs again.
    const { rows } = await client.query<{ count: number }>(
      `select count(*)::float8 as count from only ${identifier(schema)}.${identifier(name)}`,
    );
    counted.push({ schema, name, rows: rows[0]?.count ?? 0 });
  }
  return counted;
}

/** Where what was restored differs from what was counted; empty when it does not. Pure. */
export function censusDifferences(wanted: DumpCensus, found: DumpCensus): string[] {
  const kinds = [...new Set([...Object.keys(wanted.objects), ...Object.keys(found.objects)])];
  const objects = kinds.flatMap((kind) => {
    const [had, has] = [wanted.objects[kind] ?? 0, found.objects[kind] ?? 0];
    return had === has ? [] : [`${has} ${kind} instead of ${had}`];
  });
  const rows = wanted.tables.flatMap(({ schema, name, rows: had }) => {
    const has = found.tables.find((table) => table.schema === schema && table.name === name)?.rows;
    return has === had ? [] : [`table ${schema}.${name} has ${has ?? 'no'} rows instead of ${had}`];
  });
  return [...objects, ...rows];
}

/** In a line: what there is. */
export function describeCensus({ objects, tables }: DumpCensus): string {
  const total = Object.values(objects).reduce((sum, count) => sum + count, 0);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return tables.length === 0 ? `${total} objects` : `${total} objects, ${rows} rows in ${tables.length} tables`;
}

import * as z from 'zod';
import type { Client } from '../postgres/sql.ts';

const figures = ['relations', 'columns', 'functions', 'types', 'constraints'] as const;

const countsSchema = z.object({
  relations: z.number(),
  columns: z.number(),
  functions: z.number(),
  types: z.number(),
  constraints: z.number(),
});

export const censusSchema = z.object({
  database: z.string(),
  /** What stood in its catalogue while the backup was taken; null when that changed meanwhile. */
  counts: countsSchema.nullable(),
  /** Which extensions it has, and their versions: what a machine must have to serve it. */
  extensions: z.array(z.object({ name: z.string(), version: z.string() })),
});

export type Counts = z.output<typeof countsSchema>;
/** What the catalogue of one database holds. */
export type Census = z.output<typeof censusSchema>;

export interface Counted {
  counts: Counts;
  /** Grows with every row that is added to or taken from the catalogue. */
  changes: number;
  extensions: Census['extensions'];
}

/** Asks each database that lets anyone in. */
export async function eachDatabase<T>(
  ask: <R>(database: string, question: (client: Client) => Promise<R>) => Promise<R>,
  question: (client: Client) => Promise<T>,
): Promise<Map<string, T>> {
  const names = await ask('postgres', async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'select datname as name from pg_database where datallowconn order by 1',
    );
    return rows.map((row) => row.name);
  });
  const answers = new Map<string, T>();
  // One after the other: where clients have taken all other connections, few are kept for the superuser.
  for (const name of names) answers.set(name, await ask(name, question));
  return answers;
}

/** Counts what is in a database's catalogue; temporary tables, which no restore brings back, are left out. */
export async function countCatalogue(client: Client): Promise<Counted> {
  const { rows } = await client.query<Counts & Pick<Counted, 'changes' | 'extensions'>>(
    `with lasting as (select oid from pg_class where relpersistence <> 't'),
          spaces as (select oid from pg_namespace where nspname !~ '^pg_(toast_)?temp_')
     select (select count(*) from lasting)::int as relations,
            (select count(*) from pg_attribute where attrelid in (select oid from lasting))::int as columns,
            (select count(*) from pg_proc where pronamespace in (select oid from spaces))::int as functions,
            (select count(*) from pg_type where typnamespace in (select oid from spaces))::int as types,
            (select count(*) from pg_constraint where connamespace in (select oid from spaces))::int as constraints,
            (select coalesce(sum(n_tup_ins + n_tup_del), 0) from pg_stat_sys_tables
              where relid in ('pg_class'::regclass, 'pg_attribute'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass,
                              'pg_constraint'::regclass))::float8 as changes,
            (select coalesce(json_agg(json_build_object('name', extname, 'version', extversion) order by extname), '[]')
               from pg_extension) as extensions`,
  );
  const row = rows[0];
  if (row === undefined) throw new Error('a query without a table has given no row');
  const { changes, extensions, ...counts } = row;
  return { counts, changes, extensions };
}

/**
 * What is known of the catalogue at the end of a backup, from what was counted while it was taken and after it: pure. Where
 * the catalogue changed in between, nobody can say what the backup holds of it.
 */
export function settleCensus(during: Map<string, Counted>, after: Map<string, Counted>): Census[] {
  return [...after].map(([database, { counts, changes, extensions }]) => {
    const before = during.get(database);
    const same =
      before !== undefined && before.changes === changes && figures.every((key) => before.counts[key] === counts[key]);
    return { database, counts: same ? counts : null, extensions };
  });
}

/** Where a restored catalogue differs from what was counted; empty when it does not. */
export function differences(wanted: Counts, found: Counts): string[] {
  return figures
    .filter((key) => wanted[key] !== found[key])
    .map((key) => `${found[key]} ${key} instead of ${wanted[key]}`);
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compareSchemas, type Difference } from '../../lib/schema/compare.ts';
import { describeSchema, type SchemaDescription } from '../../lib/schema/describe.ts';
import { Task } from '../../lib/task.ts';
import { startThrowawayServer, type ThrowawayServer } from '../helpers/throwaway-server.ts';

const everything = readFileSync(fileURLToPath(new URL('../fixtures/schema/everything.sql', import.meta.url)), 'utf8');
const task = new Task(new AbortController().signal, () => undefined);

let server: ThrowawayServer;
let standard: SchemaDescription;

/** A database of a role of its own name, as instances have. */
async function sibling(name: string): Promise<void> {
  await server.query('postgres', async (client) => {
    await client.query(`CREATE ROLE ${name} LOGIN`);
    await client.query(`CREATE DATABASE ${name} OWNER ${name}`);
  });
  await change(name, everything);
}

async function change(name: string, sql: string): Promise<void> {
  await server.query(name, async (client) => {
    await client.query(`SET SESSION AUTHORIZATION ${name}`);
    await client.query(sql);
  });
}

async function look(name: string): Promise<SchemaDescription> {
  return await describeSchema(task, { ...server.connection(name), user: name });
}

/** What differs, in the changed sibling. */
function told(changed: SchemaDescription): string[] {
  const siblings = [
    { instance: 'standard', objects: standard.objects },
    { instance: 'changed', objects: changed.objects },
  ];
  return compareSchemas(siblings).map(({ kind, name }: Difference) => `${kind} ${name}`);
}

beforeAll(async () => {
  server = await startThrowawayServer();
  await sibling('standard');
  await sibling('changed');
  standard = await look('standard');
});
afterAll(async () => await server?.stop());

describe('the description of a schema', () => {
  it('is the same for siblings whose roles have names of their own', async () => {
    const other = await look('changed');
    expect(told(other)).toEqual([]);
    expect(other.fingerprint).toBe(standard.fingerprint);
    const kinds = new Set(standard.objects.map(({ kind }) => kind));
    for (const kind of [
      'table',
      'view',
      'materialized view',
      'index',
      'constraint',
      'function',
      'procedure',
      'aggregate',
    ])
      expect(kinds).toContain(kind);
    for (const kind of [
      'trigger',
      'policy',
      'rule',
      'statistics',
      'sequence',
      'type',
      'comment',
      'schema',
      'extension',
    ])
      expect(kinds).toContain(kind);
    expect(JSON.stringify(standard.objects)).not.toMatch(/pgmanage|hstore\(|"standard/);
  });

  it('does not depend on what the database has set', async () => {
    await server.query('postgres', async (client) => {
      await client.query(
        "ALTER DATABASE changed SET timezone = 'Asia/Tokyo'; ALTER DATABASE changed SET datestyle = 'SQL, DMY'",
      );
      await client.query(
        'ALTER DATABASE changed SET search_path = public; ALTER ROLE changed SET quote_all_identifiers = on',
      );
    });
    expect(told(await look('changed'))).toEqual([]);
  });

  it.each([
    ['ALTER TABLE orders ADD extra int', 'ALTER TABLE orders DROP extra', ['table public.orders']],
    [
      "ALTER TABLE orders ALTER note SET DEFAULT 'y'",
      "ALTER TABLE orders ALTER note SET DEFAULT 'x'",
      ['table public.orders'],
    ],
    [
      'ALTER TABLE orders ALTER note DROP NOT NULL',
      'ALTER TABLE orders ALTER note SET NOT NULL',
      ['table public.orders'],
    ],
    ['ALTER TABLE orders SET UNLOGGED', 'ALTER TABLE orders SET LOGGED', ['table public.orders']],
    ['ALTER TABLE orders SET (fillfactor = 70)', 'ALTER TABLE orders RESET (fillfactor)', ['table public.orders']],
    [
      'ALTER TABLE orders DISABLE ROW LEVEL SECURITY',
      'ALTER TABLE orders ENABLE ROW LEVEL SECURITY',
      ['table public.orders'],
    ],
    ['REVOKE SELECT ON orders FROM public', 'GRANT SELECT ON orders TO public', ['table public.orders']],
    ['GRANT UPDATE (note) ON orders TO public', 'REVOKE UPDATE (note) ON orders FROM public', ['table public.orders']],
    [
      'DROP INDEX orders_note',
      "CREATE INDEX orders_note ON orders (note) WHERE note <> ''",
      ['index public.orders_note'],
    ],
    [
      'CREATE OR REPLACE FUNCTION next(a int) RETURNS int LANGUAGE sql AS $$ SELECT a + 2 $$',
      'CREATE OR REPLACE FUNCTION next(a int) RETURNS int LANGUAGE sql AS $$ select a + 1 $$',
      ['function public.next(a integer)'],
    ],
    [
      'ALTER FUNCTION next(int) SECURITY DEFINER',
      'ALTER FUNCTION next(int) SECURITY INVOKER',
      ['function public.next(a integer)'],
    ],
    [
      'ALTER TABLE orders DISABLE TRIGGER stamped',
      'ALTER TABLE orders ENABLE TRIGGER stamped',
      ['trigger stamped on public.orders'],
    ],
    [
      'ALTER POLICY seen ON orders USING (id > 2)',
      'ALTER POLICY seen ON orders USING (id > 1)',
      ['policy seen on public.orders'],
    ],
    [
      "COMMENT ON TABLE orders IS 'another'",
      "COMMENT ON TABLE orders IS 'what was ordered'",
      ['comment table public.orders'],
    ],
    ['ALTER SEQUENCE numbers INCREMENT 2', 'ALTER SEQUENCE numbers INCREMENT 1', ['sequence public.numbers']],
    [
      'ALTER TABLE orders ADD CONSTRAINT sound CHECK (total > 0) NOT VALID',
      'ALTER TABLE orders DROP CONSTRAINT sound',
      ['constraint sound on public.orders'],
    ],
    ['ALTER DOMAIN positive DROP NOT NULL', 'ALTER DOMAIN positive SET NOT NULL', ['type public.positive']],
    [
      'DROP OPERATOR === (int, int)',
      'CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq)',
      ['operator public.===(integer,integer)'],
    ],
    [
      'ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM public',
      'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO public',
      ['default privileges of its role on r'],
    ],
    ['DROP EXTENSION hstore', 'CREATE EXTENSION hstore', ['extension hstore']],
  ])('sees: %s', async (sql, back, objects) => {
    await change('changed', sql);
    const changed = await look('changed');
    expect(told(changed)).toEqual(objects);
    expect(changed.fingerprint).not.toBe(standard.fingerprint);
    await change('changed', back);
    expect(told(await look('changed'))).toEqual([]);
  });

  it('sees an index that a failed concurrent build has left, and a new label of an enumeration', async () => {
    await server.query('changed', async (client) => {
      await client.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_note'::regclass");
    });
    await change('changed', "ALTER TYPE mood ADD VALUE 'fine'");
    const changed = await look('changed');
    expect(told(changed)).toEqual(['index public.orders_note', 'type public.mood']);
  });
});

import { createHash } from 'node:crypto';
import { sqlFailed, withClient, type Address, type Client } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { catalogueQueries } from './catalogue.ts';

/** One thing of a schema, described so that the same thing in another database has the very same words. */
export interface SchemaObject {
  /** `table`, `index`, `function` … */
  kind: string;
  /** Its name with its schema, quoted where SQL wants it quoted. */
  name: string;
  /** One property a line: a column, an option, the owner; empty where only its presence is known. */
  definition: string;
}

export interface SchemaDescription {
  /** Ordered by kind and name. */
  objects: SchemaObject[];
  /** SHA-256 of all of them, lower-case hex: two databases with one fingerprint have the same schema. */
  fingerprint: string;
  /** Of the server: other majors put the same view into other words. */
  serverMajor: number;
}

export type DatabaseAddress = Address & { database: string; user: string; password?: string };

/**
 * What the catalogue's own functions write depends on these; given at the start of the session, they win over what the
 * database or the role has set.
 */
const canonical = {
  search_path: 'pg_catalog',
  quote_all_identifiers: 'off',
  datestyle: 'ISO',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: 1,
  bytea_output: 'hex',
};

/** How long one question to the catalogue may take, in milliseconds. */
const timeoutMs = 60_000;

/**
 * Describes the schema of a database as its role sees it, without pg_dump: owners and grantees that are this very role are
 * told as "its role", as siblings have roles of their own names. The tool's own schema, the system's and members of
 * extensions are left out.
 * @throws SQL_FAILED
 */
export async function describeSchema(task: Task, address: DatabaseAddress): Promise<SchemaDescription> {
  const options = { signal: task.signal, timeoutMs, applicationName: 'pg-manage drift', settings: canonical };
  try {
    return await withClient({ ...address, ...options }, async (client) => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const objects = await readObjects(client);
      return { objects, fingerprint: fingerprintOf(objects), serverMajor: await majorOf(client) };
    });
  } catch (error) {
    task.signal.throwIfAborted();
    throw sqlFailed(`reading the schema of database "${address.database}"`, error);
  }
}

async function readObjects(client: Client): Promise<SchemaObject[]> {
  const objects: SchemaObject[] = [];
  for (const sql of catalogueQueries) objects.push(...(await client.query<SchemaObject>(sql)).rows);
  return objects.toSorted((a, b) => compareText(a.kind, b.kind) || compareText(a.name, b.name));
}

export function fingerprintOf(objects: SchemaObject[]): string {
  const text = JSON.stringify(objects.map(({ kind, name, definition }) => [kind, name, definition]));
  return createHash('sha256').update(text).digest('hex');
}

/** By code points, not by a locale: the fingerprint must be the same on every machine. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function majorOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ major: number }>(
    "SELECT current_setting('server_version_num')::int / 10000 AS major",
  );
  return rows[0]?.major ?? 0;
}

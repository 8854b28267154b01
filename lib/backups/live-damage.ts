import { AppError } from '../errors.ts';
import { asSuperuser } from '../instances/connection.ts';
import { instancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import type { Operation } from '../operation.ts';
import { withClient } from '../postgres/sql.ts';
import { raiseAlarm } from './alarm.ts';

/** A page of the living server whose checksum is wrong, as pg_basebackup tells it. */
export interface DamagedPage {
  /** Below the data directory. */
  file: string;
  block: string;
}

/** The pages that pg_basebackup has complained of, each file once (messages of PostgreSQL's basebackup.c). */
export function damagedPages(output: string): DamagedPage[] {
  const found = new Map<string, DamagedPage>();
  for (const [, path = '', block = ''] of output.matchAll(
    /checksum verification failed in file "(?:\.\/)?([^"]+)", block (\d+)/g,
  )) {
    if (!found.has(path)) found.set(path, { file: path, block });
  }
  return [...found.values()];
}

/**
 * Raises the alarm for damage in the living data that a failed base backup has found.
 * @returns the error that names the relations, or the one given where it tells of no damage
 */
export async function tellLiveDamage(operation: Operation, record: InstanceRecord, error: unknown): Promise<unknown> {
  if (!(error instanceof AppError)) return error;
  const pages = damagedPages(error.output ?? '');
  const told: string[] = [];
  for (const page of pages) {
    const relation = await relationOf(operation, record, page.file);
    told.push(`${relation === undefined ? '' : `${relation}: `}${page.file}, block ${page.block}`);
  }
  for (const what of told) raiseAlarm(operation.places, record.name, 'the live data', what);
  if (told.length === 0) return error;
  return new AppError('DAMAGED_DATA', `the live data of ${record.name} is damaged: ${told.join('; ')}`, {
    hint: `bring it back as it was: ./manage.ts --action restore --instance ${record.name} --as ${record.name}-good, and compare`,
    ...(error.output === undefined ? {} : { output: error.output }),
    cause: error,
  });
}

/** `shop.public.orders`, or undefined where the file is of no relation or nobody can say. */
async function relationOf(
  { places, task }: Operation,
  record: InstanceRecord,
  file: string,
): Promise<string | undefined> {
  const [, databaseId, filenode] = /^base\/(\d+)\/(\d+)/.exec(file) ?? [];
  if (databaseId === undefined) return undefined;
  const server = { ...asSuperuser(instancePaths(places, record.name), record), signal: task.signal, timeoutMs: 10_000 };
  try {
    const database = await withClient(server, async (client) => {
      const sql = 'select datname as name from pg_database where oid = $1';
      return (await client.query<{ name: string }>(sql, [databaseId])).rows[0]?.name;
    });
    if (database === undefined) return undefined;
    return await withClient({ ...server, database }, async (client) => {
      const sql = `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    where c.oid = pg_filenode_relation(0, $1)`;
      const name = (await client.query<{ name: string }>(sql, [filenode])).rows[0]?.name;
      return name === undefined ? undefined : `${database}.${name}`;
    });
  } catch {
    task.signal.throwIfAborted();
    return undefined; // damaged data may not let itself be asked; the file is named all the same
  }
}

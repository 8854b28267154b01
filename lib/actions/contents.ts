import { resolve } from 'node:path';
import { AppError } from '../errors.ts';
import { passwordOf } from '../instances/passwords.ts';
import { instancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { migrate, type MigrationResult } from '../migrations/apply.ts';
import { readMigrationFolder } from '../migrations/files.ts';
import type { Common, Context, Text, Values } from './action.ts';

/** What a new instance can be made to hold from its first moment. */
export const contentOptions = {
  'migrations-dir': { type: 'string', alias: 'm', describe: 'apply the migration files of this folder to it' },
} as const;

/** Absolute; undefined where it is to stay empty. */
export interface Contents {
  migrations: string | undefined;
}

/** Reads the files once before anything is made. @throws MIGRATIONS_NOT_FOUND, MIGRATION_AMBIGUOUS */
export function readContents({ callerFolder }: Common, given: Values<typeof contentOptions>): Contents {
  const from = (path: string | undefined): string | undefined => path && resolve(callerFolder, path);
  const contents = { migrations: from(given['migrations-dir']) };
  if (contents.migrations !== undefined) readMigrationFolder(contents.migrations);
  return contents;
}

/** What has been put into a new instance; null where that was not asked for. */
export interface Filled {
  migrations: MigrationResult | null;
}

/** Brings the database of an instance, whose record is not written yet, to what it is to hold. @throws as `migrate` */
export async function fill(context: Context, record: InstanceRecord, contents: Contents): Promise<Filled> {
  const paths = instancePaths(context.places, record.name);
  const { port, role: user, database } = record;
  const connection = { host: paths.socket, port, user, database, password: passwordOf(paths, record, user) };
  const { lockTimeoutMs, toolVersion } = context;
  const run = async (folder: string | undefined): Promise<MigrationResult | null> =>
    folder === undefined ? null : await migrate(context.task, connection, { folder, lockTimeoutMs, toolVersion });
  try {
    return { migrations: await run(contents.migrations) };
  } catch (error) {
    throw error instanceof AppError ? sayingNothingIsLeft(error) : error;
  }
}

/** What a file's own error advises is meant for a database that stays. */
function sayingNothingIsLeft({ code, message, output, data, cause }: AppError): AppError {
  return new AppError(code, message, {
    hint: 'nothing is left of the instance: correct the file, and give the same command again',
    ...(output === undefined ? {} : { output }),
    ...(data === undefined ? {} : { data }),
    cause,
  });
}

export function tellFilled({ migrations }: Filled): Text[] {
  if (migrations === null) return [];
  return [{ line: `${migrations.applied.length} migrations applied, now at ${migrations.current ?? 'no version'}` }];
}

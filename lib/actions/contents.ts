import { resolve } from 'node:path';
import { AppError } from '../errors.ts';
import { callerName } from '../host/users.ts';
import { passwordOf } from '../instances/passwords.ts';
import { instancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { migrate, type MigrationResult } from '../migrations/apply.ts';
import { readMigrationFolder } from '../migrations/files.ts';
import { readSeeds, seed, type SeedResult } from '../migrations/seeds.ts';
import type { Common, Context, Text, Values } from './action.ts';

/** What a new instance can be made to hold from its first moment. */
export const contentOptions = {
  'migrations-dir': { type: 'string', alias: 'm', describe: 'apply the migration files of this folder to it' },
  'seed-path': {
    type: 'string',
    alias: 's',
    describe: 'then fill it from this file *.sql, or the files of this folder',
  },
} as const;

/** Absolute; undefined where it is to stay empty. */
export interface Contents {
  migrations: string | undefined;
  seeds: string | undefined;
}

/** Reads the files once before anything is made. @throws MIGRATIONS_NOT_FOUND, MIGRATION_AMBIGUOUS */
export function readContents({ callerFolder }: Common, given: Values<typeof contentOptions>): Contents {
  const from = (path: string | undefined): string | undefined => path && resolve(callerFolder, path);
  const contents = { migrations: from(given['migrations-dir']), seeds: from(given['seed-path']) };
  if (contents.migrations !== undefined) readMigrationFolder(contents.migrations);
  if (contents.seeds !== undefined) readSeeds(contents.seeds);
  return contents;
}

/** What has been put into a new instance; null where that was not asked for. */
export interface Filled {
  migrations: MigrationResult | null;
  seeds: SeedResult | null;
}

/** Brings the database of an instance, whose record is not written yet, to what it is to hold. @throws as `migrate` */
export async function fill(context: Context, record: InstanceRecord, contents: Contents): Promise<Filled> {
  const paths = instancePaths(context.places, record.name);
  const { port, role: user, database } = record;
  const connection = { host: paths.socket, port, user, database, password: passwordOf(paths, record, user) };
  const { task, lockTimeoutMs, toolVersion } = context;
  const run = { lockTimeoutMs, toolVersion, what: 'create', caller: callerName() };
  const { migrations: folder, seeds: path } = contents;
  try {
    const migrations = folder === undefined ? null : await migrate(task, connection, { ...run, folder });
    const seeds = path === undefined ? null : await seed(task, connection, path, run);
    return { migrations, seeds };
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

export function tellFilled({ migrations, seeds }: Filled): Text[] {
  const lines = [
    ...(migrations
      ? [`${migrations.applied.length} migrations applied, now at ${migrations.current ?? 'no version'}`]
      : []),
    ...(seeds ? [`seeded from ${seeds.applied.map(({ file }) => file).join(', ')}`] : []),
  ];
  return lines.map((line) => ({ line }));
}

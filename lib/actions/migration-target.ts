import { resolve } from 'node:path';
import { AppError } from '../errors.ts';
import { readPassword } from '../instances/connection.ts';
import type { InstanceName } from '../instances/names.ts';
import { observe } from '../instances/state.ts';
import type { MigrationConnection } from '../migrations/session.ts';
import type { Context } from './action.ts';
import { openInstance } from './shared.ts';

/** What every action on migrations has. */
export const migrationOptions = {
  'migrations-dir': { type: 'string', alias: 'm', describe: 'the folder of NNN_name.sql files (default ./migrations)' },
  database: { type: 'string', alias: 'd', describe: "instead of the instance's own database" },
} as const;

/** The folder that holds the files. */
export function migrationFolder(
  { callerFolder }: Pick<Context, 'callerFolder'>,
  given: { 'migrations-dir': string | undefined },
): string {
  return resolve(callerFolder, given['migrations-dir'] ?? 'migrations');
}

/** Direct, over the socket, as the role that owns the database. @throws INSTANCE_NOT_RUNNING */
export function migrationConnection(
  context: Context,
  name: InstanceName,
  database: string | undefined,
): MigrationConnection {
  const { record, paths } = openInstance(context, name);
  const { state } = observe(paths, record);
  if (state !== 'running') {
    throw new AppError('INSTANCE_NOT_RUNNING', `instance ${name} is ${state}`, {
      hint: `start it with: ./manage.ts --action start --instance ${name}`,
    });
  }
  return {
    host: paths.socket,
    port: record.port,
    user: record.role,
    password: readPassword(paths),
    database: database ?? record.database,
  };
}

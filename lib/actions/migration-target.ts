import { resolve } from 'node:path';
import type { InstanceName } from '../instances/names.ts';
import { passwordOf } from '../instances/passwords.ts';
import type { MigrationConnection } from '../migrations/session.ts';
import type { Context } from './action.ts';
import { openRunning } from './shared.ts';

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
  const { record, paths } = openRunning(context, name);
  return {
    host: paths.socket,
    port: record.port,
    user: record.role,
    password: passwordOf(paths, record, record.role),
    database: database ?? record.database,
  };
}

import { resolve } from 'node:path';
import { AppError } from '../errors.ts';
import { readPassword } from '../instances/connection.ts';
import { observe } from '../instances/state.ts';
import type { InstanceName } from '../instances/names.ts';
import { migrate as runMigrations } from '../migrations/apply.ts';
import type { MigrationConnection } from '../migrations/session.ts';
import { type Context, instanceAction } from './action.ts';
import { openInstance } from './shared.ts';

export const migrationOptions = {
  'migrations-dir': { type: 'string', alias: 'm', describe: 'the folder of NNN_name.sql files (default ./migrations)' },
  database: { type: 'string', alias: 'd', describe: "instead of the instance's own database" },
} as const;

export const migrate = instanceAction({
  name: 'migrate',
  summary: 'apply pending migration files',
  details:
    'Files NNN_name.sql are applied in order of their number, each in one transaction with the row that records it, under a lock that lets one run at a time. An applied file that has changed stops everything; rollback_… and .down.sql files are never applied.',
  examples: [
    ['./manage.ts --action migrate --instance client-a --migrations-dir ./migrations', 'apply what is pending'],
    ['./manage.ts migrate client-a -m ./migrations --dry-run', 'show what would be applied'],
  ],
  options: { ...migrationOptions, to: { type: 'string', describe: 'stop after this version' } },
  target: 'existing',
  lock: 'shared',
  changes: true,
  async run(context, name, given) {
    const result = await runMigrations(context.task, migrationConnection(context, name, given.database), {
      folder: resolve(context.callerFolder, given['migrations-dir'] ?? 'migrations'),
      lockTimeoutMs: context.lockTimeoutMs,
      toolVersion: context.toolVersion,
      dryRun: context.dryRun,
      ...(given.to === undefined ? {} : { to: given.to }),
    });
    const { applied, pending, current } = result;
    const line = context.dryRun
      ? `${pending.length} to apply: ${pending.map((one) => `${one.version}_${one.name}`).join(', ') || 'none'}`
      : `${name}: ${applied.length} applied, now at ${current ?? 'no version'}`;
    return { data: { ...result }, text: [{ line }] };
  },
});

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

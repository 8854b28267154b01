import { migrate as runMigrations } from '../migrations/apply.ts';
import { instanceAction } from './action.ts';
import { fleetOptions, migrateRollout } from './migrate-fleet.ts';
import { migrationConnection, migrationFolder, migrationOptions } from './migration-target.ts';

export const migrate = instanceAction({
  name: 'migrate',
  summary: 'apply pending migration files',
  details:
    'Files NNN_name.sql are applied in order of their number, each in one transaction with the row that records it, under a lock that lets one run at a time. An applied file that has changed stops everything; rollback_… and .down.sql files are never applied. Of several instances one is done first, alone, then the others in waves of --jobs; a run that stopped goes on where it was when it is given again.',
  examples: [
    ['./manage.ts --action migrate --instance client-a --migrations-dir ./migrations', 'apply what is pending'],
    ['./manage.ts migrate client-a -m ./migrations --dry-run', 'show what would be applied'],
    ["./manage.ts migrate 'client-*' -m ./migrations --canary client-a --jobs 4", 'one first, then four at once'],
  ],
  options: { ...migrationOptions, to: { type: 'string', describe: 'stop after this version' }, ...fleetOptions },
  target: 'existing',
  lock: 'shared',
  changes: true,
  rollout: migrateRollout,
  async run(context, name, given) {
    const result = await runMigrations(context.task, migrationConnection(context, name, given.database), {
      folder: migrationFolder(context, given),
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

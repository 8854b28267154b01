import { migrationStatus } from '../migrations/apply.ts';
import { instanceAction } from './action.ts';
import { migrationConnection, migrationFolder, migrationOptions } from './migration-target.ts';
import { moment } from './shared.ts';

export const migrateStatus = instanceAction({
  name: 'migrate-status',
  summary: 'which migrations are applied',
  examples: [['./manage.ts --action migrate-status --instance client-a -m ./migrations', 'file by file']],
  options: migrationOptions,
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name, given) {
    const folder = migrationFolder(context, given);
    const result = await migrationStatus(context.task, migrationConnection(context, name, given.database), { folder });
    const rows = result.migrations.map((one) => [one.version, one.name, one.state, moment(one.appliedAt)]);
    return { data: { ...result }, text: [{ head: ['version', 'name', 'state', 'applied'], rows }] };
  },
});

import { AppError } from '../errors.ts';
import { callerName } from '../host/users.ts';
import { baseline, initHistory } from '../migrations/baseline.ts';
import { instanceAction } from './action.ts';
import { migrationConnection, migrationFolder, migrationOptions } from './migration-target.ts';

export const migrateInit = instanceAction({
  name: 'migrate-init',
  summary: "make the history, or take over another tool's",
  details:
    'migrate makes the history by itself. With --baseline, files that are applied already are recorded and not run: those which the history of dbmate, golang-migrate, node-pg-migrate or the old manage.sh names, or all up to --to VERSION.',
  examples: [
    ['./manage.ts migrate-init client-a --baseline -m ./db/migrations', "take over another tool's history"],
    ['./manage.ts migrate-init client-a --baseline --to 012 -m ./migrations', 'say by hand what is applied'],
  ],
  options: {
    ...migrationOptions,
    baseline: { type: 'boolean', describe: 'record files as applied without running them' },
    to: { type: 'string', describe: 'with --baseline: the newest version that is applied' },
  },
  target: 'existing',
  lock: 'shared',
  changes: true,
  check({ baseline: wanted, to }) {
    if (to !== undefined && !wanted) {
      throw new AppError('USAGE', '--to goes with --baseline', {
        hint: 'to apply files up to a version: migrate --to',
      });
    }
    if (to !== undefined && !/^\d+$/.test(to)) {
      throw new AppError('USAGE', `"${to}" is not a version`, {
        hint: 'give the number at the head of a file name: 003',
      });
    }
  },
  async run(context, name, given) {
    const connection = migrationConnection(context, name, given.database);
    const { lockTimeoutMs, toolVersion, dryRun, task } = context;
    if (!given.baseline) {
      if (!dryRun) await initHistory(task, connection, { lockTimeoutMs });
      return { data: { recorded: [], from: null }, text: [{ line: `${name}: the history is there` }] };
    }
    const result = await baseline(task, connection, {
      folder: migrationFolder(context, given),
      lockTimeoutMs,
      toolVersion,
      caller: callerName(),
      dryRun,
      ...(given.to === undefined ? {} : { to: given.to }),
    });
    const names = result.recorded.map((one) => `${one.version}_${one.name}`).join(', ') || 'none';
    const from = result.from === null ? '' : ` (from the history of ${result.from})`;
    const line = `${result.recorded.length} ${dryRun ? 'to record' : 'recorded'} as applied${from}: ${names}`;
    return { data: { ...result }, text: [{ line: `${name}: ${line}` }] };
  },
});

import { AppError } from '../errors.ts';
import { rollback, type RollbackTarget } from '../migrations/rollback.ts';
import { reconnectPooler } from '../pooler/pooler.ts';
import { instanceAction, type Values } from './action.ts';
import { withWayBack } from './migration-run.ts';
import { migrationConnection, migrationFolder, migrationOptions } from './migration-target.ts';
import { openInstance } from './shared.ts';

const options = {
  ...migrationOptions,
  to: { type: 'string', describe: 'undo all that is newer than this version; 0 undoes all' },
  steps: { type: 'number', describe: 'undo so many, the newest first (default 1)' },
  'backup-name': { type: 'string', alias: 'b', hidden: true, describe: 'undo this version and all newer ones' },
} as const;

export const migrateRollback = instanceAction({
  name: 'migrate-rollback',
  summary: 'undo the newest migrations',
  details:
    'Runs what undoes each version, the newest first, with its row in the history: NNN_name.down.sql, rollback_NNN_name.sql or the down section of the file. Refuses before the first where one of them has none.',
  examples: [
    ['./manage.ts migrate-rollback client-a -m ./migrations --steps 1', 'undo the newest'],
    ['./manage.ts migrate-rollback client-a -m ./migrations --to 004', 'undo all that came after 004'],
  ],
  options,
  target: 'existing',
  lock: 'shared',
  changes: true,
  check: (given) => void targetOf(given),
  confirm: (name, given) => `This undoes ${describe(targetOf(given))} of ${name}, and loses the data they hold`,
  async run(context, name, given) {
    const connection = migrationConnection(context, name, given.database);
    const wanted = { folder: migrationFolder(context, given), target: targetOf(given), dryRun: context.dryRun };
    const { result, text } = await withWayBack(context, name, 'migrate-rollback', async (request) =>
      rollback(context.task, connection, { ...wanted, ...request }),
    );
    if (!context.dryRun) await reconnectPooler(context, openInstance(context, name).record);
    const names = (list: { version: string; name: string }[]): string =>
      list.map((one) => `${one.version}_${one.name}`).join(', ') || 'none';
    const line = context.dryRun
      ? `${result.pending.length} to undo: ${names(result.pending)}`
      : `${name}: ${result.undone.length} undone (${names(result.undone)}), now at ${result.current ?? 'no version'}`;
    return { data: { ...result }, text: [{ line }, ...text] };
  },
});

function targetOf({ to, steps, 'backup-name': from }: Values<typeof options>): RollbackTarget {
  if ([to, steps, from].filter((one) => one !== undefined).length > 1) {
    throw new AppError('USAGE', 'give one of --to and --steps', { hint: '--to VERSION keeps that version' });
  }
  const version = to ?? from;
  if (version !== undefined && !/^\d+/.test(version)) {
    throw new AppError('USAGE', `"${version}" is not a version`, {
      hint: 'give the number at the head of a file name: 003',
    });
  }
  if (to !== undefined) return { to: /^\d+/.exec(to)?.[0] ?? to };
  // The old tool's way of naming the version to undo.
  if (from !== undefined) return { from: /^\d+/.exec(from)?.[0] ?? from };
  if (steps !== undefined && (!Number.isInteger(steps) || steps < 1)) {
    throw new AppError('USAGE', `--steps ${steps} is no number of migrations`, { hint: 'give a whole number from 1' });
  }
  return { steps: steps ?? 1 };
}

function describe(target: RollbackTarget): string {
  if ('to' in target) return `all migrations newer than ${target.to}`;
  if ('from' in target) return `migration ${target.from} and all newer ones`;
  return target.steps === 1 ? 'the newest migration' : `the newest ${target.steps} migrations`;
}

import type { InstanceName } from '../instances/names.ts';
import { migrate as runMigrations, type MigrationResult, pendingMigrations } from '../migrations/apply.ts';
import type { Preview } from '../migrations/preview.ts';
import { reconnectPooler } from '../pooler/pooler.ts';
import { instanceAction, type Outcome, type Text } from './action.ts';
import { fleetOptions, migrateRollout } from './migrate-fleet.ts';
import { rehearsalOptions, rehearseFirst } from './migrate-rehearse.ts';
import { withWayBack } from './migration-run.ts';
import { migrationConnection, migrationFolder, migrationOptions } from './migration-target.ts';
import { openInstance } from './shared.ts';

export const migrate = instanceAction({
  name: 'migrate',
  summary: 'apply pending migration files',
  details:
    'Files NNN_name.sql are applied in order of their number, each in one transaction with the row that records it, under a lock that lets one run at a time; R__name.sql files come last, and again when they have changed. A file that holds a statement which no transaction may hold (CREATE INDEX CONCURRENTLY, VACUUM, …), or says "-- migrate:up transaction:false", goes statement by statement, and a later run goes on where it ended. Folders of dbmate, golang-migrate and node-pg-migrate (SQL) work as they are. An applied file that has changed stops everything; rollback_… and .down.sql files are never applied. Of several instances one is done first, alone, then the others in waves of --jobs; a run that stopped goes on where it was when it is given again.',
  examples: [
    ['./manage.ts --action migrate --instance client-a --migrations-dir ./migrations', 'apply what is pending'],
    ['./manage.ts migrate client-a -m ./migrations --dry-run', 'show the SQL that would run, and its locks'],
    ['./manage.ts migrate client-a -m ./migrations --rehearse', 'try it on a copy first, see its locks, then decide'],
    ["./manage.ts migrate 'client-*' -m ./migrations --canary client-a --jobs 4", 'one first, then four at once'],
  ],
  options: {
    ...migrationOptions,
    to: { type: 'string', describe: 'stop after this version' },
    'allow-out-of-order': { type: 'boolean', describe: 'also apply files older than the newest applied one' },
    ...rehearsalOptions,
    ...fleetOptions,
  },
  target: 'existing',
  lock: 'shared',
  changes: true,
  rollout: migrateRollout,
  async run(context, name, given) {
    const connection = migrationConnection(context, name, given.database);
    const wanted = {
      folder: migrationFolder(context, given),
      allowOutOfOrder: given['allow-out-of-order'] ?? false,
      ...(given.to === undefined ? {} : { to: given.to }),
    };
    if (context.dryRun) {
      const { pending, current } = await pendingMigrations(context.task, connection, wanted);
      // Only a dry run and a file that goes statement by statement need the grammar.
      const { previewMigrations } = await import('../migrations/preview.ts');
      return previewed(await previewMigrations(pending), current);
    }
    const rehearsal = given.rehearse ? await rehearseFirst(context, name, connection, wanted) : undefined;
    const { result, text } = await withWayBack(context, name, 'migrate', async (request) =>
      runMigrations(context.task, connection, { ...wanted, ...request }),
    );
    if (result.applied.length > 0) await reconnectPooler(context, openInstance(context, name).record);
    return {
      data: { ...result, ...(given.rehearse ? { rehearsal: rehearsal ?? null } : {}) },
      text: [{ line: summary(name, result) }, ...text],
    };
  },
});

function summary(name: InstanceName, { applied, current }: MigrationResult): string {
  return `${name}: ${applied.length} applied, now at ${current ?? 'no version'}`;
}

/** The plan as people read it: the SQL itself, each statement below the lock it takes. */
function previewed(previews: Preview[], current: string | null): Outcome {
  const pending = previews.map(({ version, name }) => ({ version, name }));
  const names = previews.map(({ file }) => file).join(', ');
  return {
    data: { applied: [], pending, current, restorePoint: null, plan: previews },
    text: [{ line: `${pending.length} to apply: ${names || 'none'}` }, ...previews.flatMap(previewText)],
  };
}

function previewText({ file, transaction, statements }: Preview): Text[] {
  const how = transaction ? 'in one transaction' : 'statement by statement';
  const lines = statements.flatMap(({ line, sql, locks }) => [
    `-- ${file}:${line}${locks.map(({ mode, on }) => `; ${mode} on ${on}`).join('')}`,
    `${sql};`,
  ]);
  return ['', `-- ${file}, ${how}`, ...lines].map((line) => ({ line }));
}

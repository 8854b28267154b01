import { resolve } from 'node:path';
import { AppError } from '../errors.ts';
import type { InstanceName } from '../instances/names.ts';
import { readSeeds, seed as runSeeds, type SeedResult } from '../migrations/seeds.ts';
import { type Common, instanceAction } from './action.ts';
import { withWayBack } from './migration-run.ts';
import { migrationConnection, migrationOptions } from './migration-target.ts';

export const seed = instanceAction({
  name: 'seed',
  summary: 'fill a database from SQL files',
  details:
    'Each file runs once, in the order of the names, and again when its text has changed: so write files that may run twice (INSERT … ON CONFLICT). They run as migrations do, under the same lock, and have a history of their own, in the schema pgmanage_seeds.',
  examples: [
    ['./manage.ts --action seed --instance client-a --seed-path ./seeds', 'all files of a folder'],
    ['./manage.ts seed client-a --seed-path ./seeds/demo.sql', 'one file'],
  ],
  options: {
    'seed-path': { type: 'string', alias: 's', describe: 'a file *.sql, or a folder of such files' },
    database: migrationOptions.database,
  },
  target: 'existing',
  lock: 'shared',
  changes: true,
  check: (given, common) => void readSeeds(pathOf(common, given)),
  async run(context, name, given) {
    const connection = migrationConnection(context, name, given.database);
    const { result, text } = await withWayBack(context, name, 'seed', async (request) =>
      runSeeds(context.task, connection, pathOf(context, given), { ...request, dryRun: context.dryRun }),
    );
    const line = context.dryRun ? wouldApply(result) : summary(name, result);
    return { data: { ...result }, text: [{ line }, ...text] };
  },
});

function pathOf({ callerFolder }: Common, given: { 'seed-path': string | undefined }): string {
  if (given['seed-path'] !== undefined) return resolve(callerFolder, given['seed-path']);
  throw new AppError('USAGE', 'seed needs --seed-path PATH', {
    hint: 'for example: ./manage.ts seed client-a --seed-path ./seeds',
  });
}

function wouldApply({ pending }: SeedResult): string {
  return `${pending.length} to apply: ${pending.map(({ file }) => file).join(', ') || 'none'}`;
}

function summary(name: InstanceName, { applied }: SeedResult): string {
  return `${name}: ${applied.length === 0 ? 'no seed is new or changed' : `applied ${applied.map(({ file }) => file).join(', ')}`}`;
}

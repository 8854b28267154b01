import { migrationStatus } from '../migrations/apply.ts';
import type { Run } from '../migrations/runs.ts';
import { instanceAction, type Text } from './action.ts';
import { migrationConnection, migrationFolder, migrationOptions } from './migration-target.ts';
import { moment } from './moment.ts';

/** How many of the newest runs are told. */
const runsTold = 10;

export const migrateStatus = instanceAction({
  name: 'migrate-status',
  summary: 'which migrations are applied, and by which runs',
  examples: [['./manage.ts --action migrate-status --instance client-a -m ./migrations', 'file by file']],
  options: migrationOptions,
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name, given) {
    const folder = migrationFolder(context, given);
    const connection = migrationConnection(context, name, given.database);
    const result = await migrationStatus(context.task, connection, { folder, runs: runsTold });
    const rows = result.migrations.map((one) => [one.version, one.name, one.state, moment(one.appliedAt)]);
    const table = { head: ['version', 'name', 'state', 'applied'], rows };
    return { data: { ...result }, text: [table, ...runsText(result.runs)] };
  },
});

function runsText(runs: Run[]): Text[] {
  if (runs.length === 0) return [];
  return ['', 'the last runs, the newest first:', ...runs.map(runText)].map((line) => ({ line }));
}

function runText({ what, by, startedAt, state, seconds, files, error, restorePoint }: Run): string {
  const took = `${(seconds ?? 0).toFixed(1)} s`;
  const how = { done: took, failed: `failed after ${took}`, unfinished: 'has not ended' }[state];
  return [
    `${moment(startedAt)}  ${what}${by === null ? '' : ` by ${by}`}, ${how}`,
    ...(files.length === 0 ? [] : [`  ran ${filesText(files)}`]),
    ...(error === null ? [] : [`  ${error}`]),
    ...(restorePoint === null ? [] : [`  restore point before it: ${restorePoint}`]),
  ].join('\n');
}

/** All of a few, the first and the last of many. */
function filesText(files: string[]): string {
  return files.length <= 3 ? files.join(', ') : `${files.length} files, ${files[0]} to ${files.at(-1)}`;
}

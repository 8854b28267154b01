import { addRestorePoint, restorePoints } from '../backups/restore-points.ts';
import { parsePointName } from '../backups/restore-target.ts';
import { AppError } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import { asSuperuser } from '../instances/connection.ts';
import { type Lsn, parseLsn } from '../postgres/lsn.ts';
import { type Client, withClient } from '../postgres/sql.ts';
import { instanceAction } from './action.ts';
import { openRunning } from './shared.ts';

export const restorePoint = instanceAction({
  name: 'restore-point',
  summary: 'name this moment, to restore to it by name',
  details: 'Before a migration or a release, say. It costs nothing. A backup must have been taken before it.',
  examples: [
    ['./manage.ts --action restore-point --instance client-a --name before-release-7', 'name this moment'],
    ['./manage.ts restore-point client-a --name before-release-7', 'then: restore client-a --to-name before-release-7'],
  ],
  options: { name: { type: 'string', describe: 'what to call it; each name once' } },
  target: 'existing',
  lock: 'shared',
  changes: true,
  check: ({ name }) => void parsePointName(name ?? ''),
  async run(context, instance, given) {
    const { places, task, dryRun } = context;
    const { record, paths } = openRunning(context, instance);
    const name = parsePointName(given.name ?? '');
    if (restorePoints(places, record.name, record.id).some((point) => point.name === name)) {
      throw new AppError('USAGE', `${record.name} has a restore point "${name}" already`, {
        hint: 'a recovery stops at the first of a name: choose another',
      });
    }
    if (dryRun)
      return { data: { name: record.name, restorePoint: name }, text: [{ line: `would name this moment ${name}` }] };
    const address = { ...asSuperuser(paths, record), signal: task.signal, timeoutMs: 30_000 };
    const lsn = await withClient(address, async (client) => await makePoint(client, name));
    const point = { name, lsn, at: nowIso(), instanceId: record.id };
    addRestorePoint(places, record.name, point);
    return {
      data: { name: record.name, restorePoint: name, lsn, at: point.at },
      text: [{ line: `${record.name}: restore point "${name}" at ${lsn}` }],
    };
  },
});

/** Writes the name into the WAL; needs a superuser. @throws the driver's error */
export async function makePoint(client: Client, name: string): Promise<Lsn> {
  const { rows } = await client.query<{ lsn: string }>('select pg_create_restore_point($1)::text as lsn', [name]);
  return parseLsn(rows[0]?.lsn ?? '');
}

import { dropDatabase } from '../databases/databases.ts';
import { sqlName } from '../databases/names.ts';
import { AppError } from '../errors.ts';
import { instanceAction } from './action.ts';
import { poolerFollows } from './pooler-follows.ts';
import { openRunning, withSuperuser } from './shared.ts';

export const dropDb = instanceAction({
  name: 'drop-db',
  summary: 'take a database away',
  details:
    "The instance's own database stays as long as the instance does. A database that is not there is success. What it held can be had back with restore, to a time before, from the instance's backups.",
  examples: [
    ['./manage.ts --action drop-db --instance client-a --database reports --yes', 'without being asked'],
    ['./manage.ts drop-db client-a -d reports --force', 'and end the sessions that are in it'],
  ],
  options: {
    database: { type: 'string', alias: 'd', describe: 'its name' },
    force: { type: 'boolean', describe: 'end the sessions that are in it' },
  },
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  check: ({ database }) => void sqlName('database', database),
  confirm: (name, { database }) => `This drops database ${database} of ${name}, with all that is in it`,
  async run(context, name, given) {
    const database = sqlName('database', given.database);
    const opened = openRunning(context, name);
    if ([opened.record.database, 'postgres', 'template0', 'template1'].includes(database)) {
      throw new AppError('USAGE', `database ${database} belongs to instance ${name} itself`, {
        hint: `the whole instance is taken away by: ./manage.ts --action destroy --instance ${name}`,
      });
    }
    if (context.dryRun) return { data: { database }, text: [{ line: `would drop database ${database} of ${name}` }] };
    const dropped = await withSuperuser(context, opened, async (client) =>
      dropDatabase(client, database, given.force ?? false),
    );
    if (dropped) await poolerFollows(context, opened.record);
    const line = `${name}: ${dropped ? `database ${database} is dropped` : `there is no database ${database}`}`;
    return { data: { name, database, dropped }, text: [{ line }] };
  },
});

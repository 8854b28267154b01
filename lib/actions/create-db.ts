import { createDatabase } from '../databases/databases.ts';
import { sqlName } from '../databases/names.ts';
import { instanceAction } from './action.ts';
import { poolerFollows } from './pooler-follows.ts';
import { openRunning, withSuperuser } from './shared.ts';

export const createDb = instanceAction({
  name: 'create-db',
  summary: 'make a database in an instance',
  details: 'A database that is there already with the same owner is success.',
  examples: [
    ['./manage.ts --action create-db --instance client-a --database reports', "owned by the instance's role"],
    ['./manage.ts create-db client-a -d reports --owner analyst', 'owned by another role'],
  ],
  options: {
    database: { type: 'string', alias: 'd', describe: 'its name' },
    owner: { type: 'string', describe: "the role that owns it (default: the instance's)" },
    'change-owner': { type: 'boolean', describe: "give it to that role, if it is there and another's" },
  },
  target: 'existing',
  lock: 'shared',
  changes: true,
  check: ({ database }) => void sqlName('database', database),
  async run(context, name, given) {
    const database = sqlName('database', given.database);
    const opened = openRunning(context, name);
    const owner = given.owner ?? opened.record.role;
    if (context.dryRun) {
      return { data: { database, owner }, text: [{ line: `would make database ${database} of ${owner} in ${name}` }] };
    }
    const created = await withSuperuser(context, opened, async (client) =>
      createDatabase(client, { database, owner, changeOwner: given['change-owner'] === true }),
    );
    if (created) await poolerFollows(context, opened.record);
    const line = created ? `made, owned by ${owner}` : `there already, owned by ${owner}`;
    return { data: { name, database, owner, created }, text: [{ line: `${name}: database ${database} is ${line}` }] };
  },
});

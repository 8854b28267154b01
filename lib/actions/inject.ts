import { createDatabase, ownerOf } from '../databases/databases.ts';
import type { Injection } from '../databases/injection.ts';
import { grantRole, roleExists } from '../databases/roles.ts';
import { generatePassword, keepPassword, passwordOf } from '../instances/passwords.ts';
import type { Client } from '../postgres/sql.ts';
import { seedFrom } from '../migrations/seeds.ts';
import { instanceAction } from './action.ts';
import { injectionOptions, readInjection } from './injection-source.ts';
import { runRequest } from './migration-run.ts';
import { poolerFollows } from './pooler-follows.ts';
import { migrationConnection } from './migration-target.ts';
import { openRunning, withSuperuser } from './shared.ts';

export const inject = instanceAction({
  name: 'inject',
  summary: 'make databases, roles and data of one file',
  details:
    'Users first, then databases, then files of SQL in their order, each file once and again when its text has changed. What is there already stays, so the same command may be given again. Passwords that the file does not give are made, and shown by connect --username.',
  examples: [
    ['./manage.ts inject client-a --injection-config shop.json', 'a file of it'],
    [`./manage.ts inject client-a --injection-config '{"users": [{"name": "app"}]}'`, 'the JSON itself'],
  ],
  options: injectionOptions,
  target: 'existing',
  lock: 'shared',
  changes: true,
  check: (given, common) => void readInjection(common, given['injection-config']),
  async run(context, name, given) {
    const { users, databases, steps } = readInjection(context, given['injection-config']);
    const opened = openRunning(context, name);
    const { role, database } = opened.record;
    if (context.dryRun) {
      const files = steps.flatMap(({ folder }) => folder.repeatable.map(({ file }) => file));
      const made = [...users, ...databases].map((one) => one.name);
      return { data: { made, files }, text: [{ line: `would make ${[...made, ...files].join(', ')}` }] };
    }
    const madeUsers = await withSuperuser(context, opened, makeUsers(opened, users), database);
    const madeDatabases = await withSuperuser(context, opened, async (client) => {
      const made: string[] = [];
      for (const one of databases) {
        if (await createDatabase(client, { database: one.name, owner: one.owner ?? role })) made.push(one.name);
      }
      return made;
    });
    if (madeDatabases.length > 0) await poolerFollows(context, opened.record);
    const applied: { file: string; database: string }[] = [];
    for (const step of steps) {
      const into = step.database ?? database;
      // What is made in a database is its owner's.
      const user = (await withSuperuser(context, opened, async (client) => ownerOf(client, into))) ?? role;
      const password = passwordOf(opened.paths, opened.record, user);
      const connection = { ...migrationConnection(context, name, into), user, password };
      const result = await seedFrom(context.task, connection, step.folder, runRequest(context, name, 'inject'));
      applied.push(...result.applied.map(({ file }) => ({ file, database: into })));
    }
    const done = [
      ...madeUsers.map((user) => `user ${user}`),
      ...madeDatabases.map((one) => `database ${one}`),
      ...applied.map(({ file }) => file),
    ];
    return {
      data: { name, users: madeUsers, databases: madeDatabases, applied },
      text: [{ line: `${name}: ${done.length === 0 ? 'all of it was there already' : `injected ${done.join(', ')}`}` }],
    };
  },
});

/** @returns those that were not there */
function makeUsers({ paths, record }: ReturnType<typeof openRunning>, users: Injection['users']) {
  return async (client: Client): Promise<string[]> => {
    const made: string[] = [];
    for (const { name: role, password: given, privileges } of users) {
      const password = (await roleExists(client, role)) ? given : (given ?? generatePassword());
      const wish = { role, password, privileges, memberOf: [], database: record.database };
      if (await grantRole(client, wish)) made.push(role);
      if (password !== undefined) keepPassword(paths, record, role, password);
    }
    return made;
  };
}

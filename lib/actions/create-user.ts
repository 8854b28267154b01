import { sqlName } from '../databases/names.ts';
import { readPrivileges } from '../databases/privileges.ts';
import { grantRole, roleExists } from '../databases/roles.ts';
import { AppError } from '../errors.ts';
import { loginAt } from '../instances/login.ts';
import { generatePassword, keepPassword } from '../instances/passwords.ts';
import { instanceAction, type Values } from './action.ts';
import { openRunning, withSuperuser } from './shared.ts';

const options = {
  username: { type: 'string', alias: 'u', describe: 'the role' },
  password: { type: 'string', describe: 'a password of your own; seen by all users of this host in ps' },
  'new-password': { type: 'boolean', describe: 'make a new one, for a role that is there too' },
  privileges: {
    type: 'string',
    describe: 'read, write or all (its tables, later ones too); connect, create, temporary; createdb, createrole …',
  },
  database: { type: 'string', alias: 'd', describe: "the database they are for (default: the instance's own)" },
  'member-of': { type: 'string', describe: 'roles whose member it becomes, separated by commas' },
  without: { type: 'string', describe: 'privileges that are taken back, in the words of --privileges' },
  'not-member-of': { type: 'string', describe: 'roles whose member it is no more, separated by commas' },
} as const;

export const createUser = instanceAction({
  name: 'create-user',
  summary: 'make a role that may log in',
  details:
    'Makes a password and shows it; connect --username shows it again. A role that is there already keeps its password and is brought up to the privileges and memberships asked for. All of it is done, or nothing.',
  examples: [
    ['./manage.ts --action create-user --instance client-a --username report', 'may connect, no more'],
    ['./manage.ts create-user client-a -u report --privileges read', 'may read all'],
    ['./manage.ts create-user client-a -u app --privileges write --member-of staff', 'may write, and is of the staff'],
    ['./manage.ts create-user client-a -u app --new-password', 'give it a new password'],
  ],
  options,
  target: 'existing',
  lock: 'shared',
  changes: true,
  check(given) {
    sqlName('username', given.username);
    readPrivileges(given.privileges);
    readPrivileges(given.without);
    if (given.password !== undefined) assertPassword(given.password);
  },
  async run(context, name, given) {
    const role = sqlName('username', given.username);
    const opened = openRunning(context, name);
    const { record, paths } = opened;
    const database = given.database ?? record.database;
    const without = { privileges: readPrivileges(given.without), memberOf: listed(given['not-member-of']) };
    const privileges = readPrivileges(given.privileges);
    const wish = { role, database, privileges, memberOf: listed(given['member-of']), without };
    if (context.dryRun) return { data: { ...wish }, text: [{ line: `would make role ${role} in ${name}` }] };
    if (given.password !== undefined) {
      context.task.warn('a password on the command line is seen by every user of this host: better let one be made');
    }
    const { created, password } = await withSuperuser(
      context,
      opened,
      async (client) => {
        const secret = await newPassword(given, async () => roleExists(client, role));
        const made = await grantRole(client, { ...wish, password: secret });
        if (secret !== undefined) keepPassword(paths, record, role, secret);
        return { created: made, password: secret };
      },
      database,
    );
    const url = password === undefined ? null : loginAt({ port: record.port, username: role, database }, password).url;
    return {
      data: { name, username: role, database, created, password: password ?? null, url },
      text: [
        { line: `${name}: role ${role} is ${created ? 'made' : 'there'}` },
        ...(password === undefined
          ? []
          : [{ fields: [['password', password] as [string, string], ['url', url ?? ''] as [string, string]] }]),
      ],
    };
  },
});

/** @returns undefined for a role that keeps the password it has */
async function newPassword(given: Values<typeof options>, exists: () => Promise<boolean>): Promise<string | undefined> {
  if (given.password !== undefined) return given.password;
  return given['new-password'] || !(await exists()) ? generatePassword() : undefined;
}

/** Others would need SASLprep (RFC 5803) before they are hashed. */
function assertPassword(text: string): void {
  if (/^[\x20-\x7e]{1,256}$/.test(text)) return;
  throw new AppError('USAGE', '--password takes printable ASCII only', { hint: 'leave it out: one is made then' });
}

function listed(text: string | undefined): string[] {
  return (text ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
}

import { sqlName } from '../databases/names.ts';
import { dropRole } from '../databases/roles.ts';
import { AppError } from '../errors.ts';
import { forgetPassword } from '../instances/passwords.ts';
import { superuser } from '../postgres/initdb.ts';
import { instanceAction } from './action.ts';
import { openRunning, withSuperuser } from './shared.ts';

export const dropUser = instanceAction({
  name: 'drop-user',
  summary: 'take a role away',
  details:
    'Its grants go with it, in every database. What it owns never does: that is given to another role with --reassign-to, or the role stays. A role that is not there is success.',
  examples: [
    ['./manage.ts --action drop-user --instance client-a --username report --yes', 'without being asked'],
    ['./manage.ts drop-user client-a -u app --reassign-to client_a', 'what it owns goes to client_a'],
  ],
  options: {
    username: { type: 'string', alias: 'u', describe: 'the role' },
    'reassign-to': { type: 'string', describe: 'the role that gets what it owns' },
  },
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  check: ({ username }) => void sqlName('username', username),
  confirm: (name, { username }) => `This drops role ${username} of ${name}`,
  async run(context, name, given) {
    const role = sqlName('username', given.username);
    const opened = openRunning(context, name);
    if ([opened.record.role, superuser].includes(role)) {
      throw new AppError('USAGE', `role ${role} belongs to instance ${name} itself`, {
        hint: `the whole instance is taken away by: ./manage.ts --action destroy --instance ${name}`,
      });
    }
    if (context.dryRun) return { data: { username: role }, text: [{ line: `would drop role ${role} of ${name}` }] };
    const dropped = await withSuperuser(context, opened, async (client) =>
      dropRole(client, async (database, work) => withSuperuser(context, opened, work, database), {
        role,
        reassignTo: given['reassign-to'],
      }),
    );
    forgetPassword(opened.paths, opened.record, role);
    const line = `${name}: ${dropped ? `role ${role} is dropped` : `there is no role ${role}`}`;
    return { data: { name, username: role, dropped }, text: [{ line }] };
  },
});

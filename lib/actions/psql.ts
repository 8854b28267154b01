import { AppError } from '../errors.ts';
import { exists } from '../host/files.ts';
import { runForCaller } from '../host/foreground.ts';
import { findProgram } from '../host/programs.ts';
import { calledByRoot } from '../host/users.ts';
import { clientEnvironment } from '../instances/login.ts';
import { program } from '../postgres/installations.ts';
import { instanceAction } from './action.ts';
import { loginOptions } from './login-options.ts';
import { openRunning } from './shared.ts';

export const psql = instanceAction({
  name: 'psql',
  summary: "psql on an instance's database",
  details:
    'Words behind -- go to psql. It runs as you, and its exit status is ours. As postgres, the superuser, it goes through the socket without a password, also when all connections are taken: for root and the account that owns the data.',
  examples: [
    ['./manage.ts --action psql --instance client-a', 'a session'],
    ["./manage.ts psql client-a -- -Atc 'select count(*) from orders'", 'one query, for scripts'],
    ['./manage.ts psql client-a -u postgres', 'as the superuser'],
  ],
  options: loginOptions,
  words: 'ARGUMENTS',
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name, given) {
    const { record, paths } = openRunning(context, name);
    const env = clientEnvironment(paths, record, given);
    const command = [psqlFor(record), ...context.words];
    return { data: {}, text: [], exitCode: await runForCaller(command, { folder: context.callerFolder, env }) };
  },
});

/**
 * The server's own psql knows all it can do; any other will do. For root only the system's: the record, and the programs that
 * came with the tool, are files of the account that runs the server, and what that account can write root never runs.
 * @throws NO_POSTGRES
 */
function psqlFor(record: { bindir: string; version: number }): string {
  const own = program(record, 'psql');
  const found = !calledByRoot() && exists(own) ? own : findProgram('psql');
  if (found !== undefined) return found;
  throw new AppError('NO_POSTGRES', 'there is no psql on this machine', {
    hint: 'install it with: apt-get install postgresql-client',
  });
}

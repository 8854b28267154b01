import { AppError } from '../errors.ts';
import { runForCaller } from '../host/foreground.ts';
import { loginEnvironment, loginOf } from '../instances/login.ts';
import { readProjectFile } from '../instances/project-file.ts';
import { instanceAction } from './action.ts';
import { loginOptions } from './login-options.ts';
import { openInstance } from './shared.ts';

export const exec = instanceAction({
  name: 'exec',
  summary: 'run a program with DATABASE_URL set',
  details:
    'The PG… variables that libpq reads are set too. The program runs as you, where you are, with your terminal; its exit status is ours. A pg-manage.json in your project that says "inject": false keeps the login out.',
  examples: [
    ['./manage.ts --action exec --instance client-a -- npm start', 'an application'],
    ['./manage.ts exec client-a -- pg_dump -Fc -f client-a.dump', 'a program of PostgreSQL'],
  ],
  options: loginOptions,
  words: 'PROGRAM',
  target: 'existing',
  lock: 'none',
  changes: false,
  check(_given, { words }) {
    if (words.length > 0) return;
    throw new AppError('USAGE', 'exec needs a program', { hint: './manage.ts exec client-a -- PROGRAM [ARGUMENT …]' });
  },
  async run(context, name, given) {
    const { callerFolder, words, task } = context;
    const { record, paths } = openInstance(context, name);
    const project = readProjectFile(callerFolder);
    if (project?.inject === false) task.warn(`the login is kept out, by ${project.path}`);
    const env = project?.inject === false ? {} : loginEnvironment(loginOf(paths, record, given));
    return { data: {}, text: [], exitCode: await runForCaller(words, { folder: callerFolder, env }) };
  },
});

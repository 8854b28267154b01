import { resolve } from 'node:path';
import { AppError } from '../errors.ts';
import { readCallersFileIfThere, writeCallersFile } from '../host/callers-files.ts';
import { updateEnvironmentText } from '../instances/env-file.ts';
import { loginOf } from '../instances/login.ts';
import { readProjectFile } from '../instances/project-file.ts';
import { instanceAction } from './action.ts';
import { loginOptions } from './login-options.ts';
import { openInstance } from './shared.ts';

export const env = instanceAction({
  name: 'env',
  summary: 'write the login into a .env file',
  details:
    'Replaces DATABASE_URL and PG… where they stand in the file, adds what is missing, and leaves everything else as it is. The file is for its owner only (0600) when it is made here. A pg-manage.json that says "inject": false forbids it.',
  examples: [
    ['./manage.ts --action env --instance client-a', './.env of the folder you are in'],
    ['./manage.ts env client-a --file app/.env.local', 'another file'],
  ],
  options: {
    file: { type: 'string', describe: 'the file (default .env)' },
    ...loginOptions,
  },
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name, { file, ...who }) {
    const { record, paths } = openInstance(context, name);
    const project = readProjectFile(context.callerFolder);
    if (project?.inject === false) {
      throw new AppError('USAGE', `this project wants no login from us: ${project.path} says "inject": false`, {
        hint: 'change that file, or print the login with: ./manage.ts --action connect --format env',
      });
    }
    const path = resolve(context.callerFolder, file ?? '.env');
    const before = readCallersFileIfThere(path) ?? '';
    const after = updateEnvironmentText(before, loginOf(paths, record, who));
    const changed = after !== before;
    if (changed && !context.dryRun) writeCallersFile(path, after);
    const line = !changed ? 'has it already' : context.dryRun ? 'would get it' : 'has it now';
    return { data: { name, file: path, changed }, text: [{ line: `${path} ${line}: ${record.name}` }] };
  },
});

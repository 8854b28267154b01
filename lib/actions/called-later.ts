import { dirname, join } from 'node:path';
import { AppError } from '../errors.ts';
import { mayEnter, readCallersFile } from '../host/callers-files.ts';
import { callersEnvironment } from '../host/programs.ts';
import { projectDirectory } from '../host/project.ts';
import { calledByRoot, dataOwner } from '../host/users.ts';
import type { Surroundings } from '../schedule/plan.ts';
import type { Context, Text } from './action.ts';

/** What a script needs to call this very program, on the same instances, with no environment of anybody's. */
export function surroundings({ places, bindir }: Context, folder: string): Surroundings {
  return {
    command: [process.execPath, join(projectDirectory, 'lib', 'launch.cjs'), join(projectDirectory, 'manage.ts')],
    options: [
      '--root',
      places.root,
      '--backups',
      places.repository,
      ...(bindir === undefined ? [] : ['--bindir', bindir]),
    ],
    environment: { PG_MANAGE_HOST: places.host, ...callersEnvironment(budgetSettings) },
    folder,
  };
}

/** What else decides whether an instance may be started. */
const budgetSettings = ['PG_MANAGE_BUDGET', 'PG_MANAGE_CONFIG'];

/** @throws FILE_ACCESS when the account that the scripts run as cannot run the program */
export function assertCallable(): void {
  if (!calledByRoot()) return;
  const folder = [projectDirectory, dirname(process.execPath)].find((one) => !mayEnter(one));
  if (folder === undefined) return;
  const what = folder === projectDirectory ? 'the checkout' : 'Node.js';
  throw new AppError('FILE_ACCESS', `${dataOwner().name} cannot enter ${folder}, so it cannot run this program`, {
    hint: `move ${what} to where all may read it, /opt for example`,
  });
}

export function template(name: string): string {
  return readCallersFile(join(projectDirectory, 'templates', name));
}

/** A file that is about to be written, for people to read. */
export function fileText(name: string, text: string): Text[] {
  const lines = text.trimEnd().split('\n');
  return [{ line: `# ${name}` }, ...lines.map((line) => ({ line: line === '' ? '' : `  ${line}` }))];
}

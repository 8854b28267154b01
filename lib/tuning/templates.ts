import { basename, dirname, join } from 'node:path';
import { AppError } from '../errors.ts';
import { listCallersFolder, readCallersFile } from '../host/callers-files.ts';
import { isMissing } from '../host/files.ts';
import { projectDirectory } from '../host/project.ts';
import { nearest } from '../nearest.ts';
import { parseTemplate } from './template-file.ts';
import type { Template } from './types.ts';

export type { Template } from './types.ts';

const templateFolder = join(projectDirectory, 'templates', 'tuning');

/** The templates that `--template` takes by name, sorted. */
export function templateNames(): string[] {
  const files = listCallersFolder(templateFolder) ?? [];
  return files.filter((file) => file.endsWith('.yaml')).map((file) => basename(file, '.yaml'));
}

/**
 * Reads a template by name, or by an absolute path (ending in .yaml or .yml, or holding a slash).
 * @throws BAD_TEMPLATE when there is none, or with every fault of the file and its line
 */
export function loadTemplate(nameOrPath: string): Template {
  const isPath = nameOrPath.includes('/') || /\.ya?ml$/.test(nameOrPath);
  const path = isPath ? nameOrPath : pathOf(nameOrPath);
  return { name: basename(path).replace(/\.ya?ml$/, ''), path, ...parseTemplate(path, readTemplate(path)) };
}

/** True for the templates that come with the tool, and those put beside them: `--template` finds them by name. */
export function isShipped({ path }: Pick<Template, 'path'>): boolean {
  return dirname(path) === templateFolder;
}

function pathOf(name: string): string {
  const names = templateNames();
  if (names.includes(name)) return join(templateFolder, `${name}.yaml`);
  const meant = nearest(name, names);
  throw new AppError(
    'BAD_TEMPLATE',
    `there is no template "${name}"${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    {
      hint: `choose one of: ${names.join(', ')} — or name a file: --template ./my-template.yaml`,
    },
  );
}

function readTemplate(path: string): string {
  try {
    return readCallersFile(path);
  } catch (error) {
    const why = isMissing(error) ? 'there is no such file' : `it cannot be read: ${(error as Error).message}`;
    throw new AppError('BAD_TEMPLATE', `${path}: ${why}`, {
      hint: `choose one of: ${templateNames().join(', ')} — or correct the path`,
      cause: error,
    });
  }
}

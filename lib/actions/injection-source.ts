import { dirname, resolve } from 'node:path';
import { badInjection, type Injection, parseInjection } from '../databases/injection.ts';
import { AppError } from '../errors.ts';
import { readCallersFileIfThere } from '../host/callers-files.ts';
import type { MigrationFolder } from '../migrations/files.ts';
import { readSeeds, seedFolder } from '../migrations/seeds.ts';
import type { Common } from './action.ts';

export const injectionOptions = {
  'injection-config': { type: 'string', describe: 'JSON, or the file that holds it: databases, users, data' },
} as const;

/** The files of one database that follow each other. */
export interface DataStep {
  /** Undefined for the instance's own. */
  database: string | undefined;
  folder: MigrationFolder;
}

export interface ReadInjection extends Injection {
  steps: DataStep[];
}

/**
 * Reads the configuration and every file it names; paths begin at `_scenario_dir`, else beside the file, else where the
 * caller stands.
 * @throws USAGE without one, BAD_INJECTION with every fault, files that are not there among them
 */
export function readInjection(
  { callerFolder }: Pick<Common, 'callerFolder'>,
  given: string | undefined,
): ReadInjection {
  if (given === undefined) {
    throw new AppError('USAGE', 'which injection? --injection-config is missing', {
      hint: 'name a file, or give the JSON itself: --injection-config \'{"databases": [{"name": "shop"}]}\'',
    });
  }
  const isText = given.trimStart().startsWith('{');
  const path = isText ? undefined : resolve(callerFolder, given);
  const text = path === undefined ? given : readCallersFileIfThere(path);
  const origin = path ?? '--injection-config';
  if (text === undefined) throw badInjection(origin, ['there is no such file']);
  const injection = parseInjection(text, origin);
  const base = resolve(path === undefined ? callerFolder : dirname(path), injection._scenario_dir ?? '');
  return { ...injection, steps: readSteps(injection, base, origin) };
}

function readSteps({ data }: Injection, base: string, origin: string): DataStep[] {
  const faults: string[] = [];
  const steps: DataStep[] = [];
  for (const { type, file, database } of data) {
    const folder = readFiles(type, file, resolve(base, file), faults);
    const last = steps.at(-1);
    if (last !== undefined && last.database === database) last.folder.repeatable.push(...folder.repeatable);
    else steps.push({ database, folder });
  }
  if (faults.length > 0) throw badInjection(origin, faults);
  return steps;
}

function readFiles(type: string, file: string, path: string, faults: string[]): MigrationFolder {
  try {
    return type === 'directory' ? readSeeds(path) : seedFolder([{ file, path }]);
  } catch (error) {
    faults.push(`data: ${file}: ${error instanceof AppError ? error.message : 'it cannot be read'}`);
    return { forward: [], down: [], repeatable: [] };
  }
}

import { dirname, join } from 'node:path';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { readCallersFileIfThere } from '../host/callers-files.ts';

// Made when there is such a file, as every command looks for one.
const shape = z.lazy(() =>
  z.strictObject({
    /** The instance that commands given in this project mean when they name none. */
    instance: z.string().optional(),
    /** False where this project must not get DATABASE_URL from us, whatever else is set. */
    inject: z.boolean().default(true),
  }),
);

export interface ProjectFile extends z.infer<typeof shape> {
  path: string;
}

const name = 'pg-manage.json';

/**
 * The project file that counts for a folder: the one in it or in the nearest folder above.
 * @throws BAD_PROJECT_FILE
 */
export function readProjectFile(folder: string): ProjectFile | undefined {
  const path = join(folder, name);
  const text = readCallersFileIfThere(path);
  if (text !== undefined) return { path, ...parseProjectFile(path, text) };
  const above = dirname(folder);
  return above === folder ? undefined : readProjectFile(above);
}

function parseProjectFile(path: string, text: string): z.infer<typeof shape> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad(path, (error as Error).message, error);
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  throw bad(
    path,
    parsed.error.issues.map((issue) => [...issue.path, issue.message].join(': ')).join('; '),
    parsed.error,
  );
}

function bad(path: string, why: string, cause: unknown): AppError {
  return new AppError('BAD_PROJECT_FILE', `${path}: ${why}`, {
    hint: 'it may hold {"instance": "client-a", "inject": true}, and no more',
    cause,
  });
}

import * as z from 'zod';
import { AppError } from '../errors.ts';
import { sqlName } from './names.ts';
import { readPrivileges } from './privileges.ts';

const name = z.string().transform((text, context) => {
  try {
    return sqlName('name', text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

/** The old tool's privileges are a list of words; ours are those of create-user. */
const privileges = z
  .union([z.string(), z.array(z.string()).transform((words) => words.join(','))])
  .default('')
  .transform((text, context) => {
    try {
      return readPrivileges(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  });

// What else stands in an old file (comments, a scenario's own fields) is let be.
const shape = z
  .looseObject({
    databases: z.array(z.looseObject({ name, owner: name.optional() })).default([]),
    users: z.array(z.looseObject({ name, password: z.string().min(1).optional(), privileges })).default([]),
    data: z
      .array(
        z.looseObject({
          type: z.enum(['schema', 'seed', 'migration', 'file', 'directory']),
          file: z.string().min(1),
          database: name.optional(),
        }),
      )
      .default([]),
    /** Where the paths begin, when the file says so. */
    _scenario_dir: z.string().optional(),
  })
  .refine(({ databases, users, data }) => databases.length + users.length + data.length > 0, {
    message: 'it holds neither databases, nor users, nor data',
  });

export type Injection = z.infer<typeof shape>;

/**
 * Reads the JSON of `--injection-config`, in the old tool's form: databases, users, and data (files of SQL).
 * @throws BAD_INJECTION with every fault
 */
export function parseInjection(text: string, origin: string): Injection {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badInjection(origin, [(error as Error).message], error);
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => [...path.map(String), message].join(': '));
  throw badInjection(origin, faults, parsed.error);
}

export function badInjection(origin: string, faults: readonly string[], cause?: unknown): AppError {
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return new AppError('BAD_INJECTION', `${origin}: ${faults[0]}${more}`, {
    hint: 'for example: {"databases": [{"name": "shop"}], "data": [{"type": "schema", "file": "schema.sql"}]}',
    ...(faults.length > 1 ? { output: faults.join('\n') } : {}),
    cause,
  });
}

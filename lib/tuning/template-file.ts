import { type Document, isMap, isScalar } from 'yaml';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { type FileWords, readYaml } from '../yaml-file.ts';
import { givesUpDurability, objectionTo } from './guards.ts';
import { settingVersions } from './names.ts';
import { type Bytes, parseSize } from './sizes.ts';
import { workloads, type MemoryWish, type Template } from './types.ts';

export type TemplateText = Omit<Template, 'name' | 'path'>;

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`));

const shape = z.strictObject({
  description: z.string().min(1, 'must say what the template is for'),
  workload: z.enum(workloads),
  memory: z.string().transform(readMemory),
  least: z.string().transform(readSize).optional(),
  connections: wholeNumber(10, 10_000),
  reserved: wholeNumber(0, 100).optional(),
  durable: z
    .enum(['true', 'false'])
    .default('true')
    .transform((word) => word === 'true'),
  settings: z
    .record(z.string(), z.string('must be one value; write a list in quotes: "a, b"').min(1, 'has no value'))
    .default({}),
});

const words: FileWords = {
  whole: 'the template',
  keysAt: () => Object.keys(shape.shape),
  advise: (key, meant) =>
    meant === undefined && (settingVersions(key) !== undefined || key.includes('.'))
      ? 'it goes below settings:'
      : undefined,
};

export interface Problem {
  line: number;
  text: string;
}

/**
 * Checks the text of a template and takes its values, which reach postgresql.conf as they were written.
 * @throws BAD_TEMPLATE naming file, line and fault; all of them in the error's output
 */
export function parseTemplate(path: string, text: string): TemplateText {
  const read = readYaml(text, shape, words);
  if (read.faults !== undefined) throw badTemplate(path, read.faults);
  const { document, value } = read;
  const lineOf = (name: string): number => read.placeOf(['settings', name]).line;
  const { reserved, least, ...template } = value;
  const refused = Object.entries(template.settings).flatMap(([name, value]): Problem[] => {
    const fault = faultOf(name, value, template.durable);
    return fault === undefined ? [] : [{ line: lineOf(name), text: fault }];
  });
  if (refused.length > 0) throw badTemplate(path, refused);
  return {
    ...template,
    ...(reserved !== undefined && { reserved }),
    ...(least !== undefined && { least }),
    comments: commentsOf(document),
    lines: Object.fromEntries(Object.keys(template.settings).map((name) => [name, lineOf(name)])),
  };
}

/** Every fault of a template with its line, the first of them in the message. */
export function badTemplate(path: string, problems: Problem[]): AppError {
  const told = problems.toSorted((a, b) => a.line - b.line).map(({ line, text }) => `${path}:${line}: ${text}`);
  const more = told.length > 1 ? ` (and ${told.length - 1} more)` : '';
  return new AppError('BAD_TEMPLATE', `${told[0]}${more}`, {
    hint: 'correct the file; the templates in templates/tuning show what may stand in one',
    ...(told.length > 1 && { output: told.join('\n') }),
  });
}

function faultOf(name: string, value: string, durable: boolean): string | undefined {
  if (name === 'max_connections') return 'max_connections: write it as connections: above';
  if (durable && givesUpDurability(name, value)) {
    return `${name} may be off only where data may be lost: in a template that says durable: false`;
  }
  return objectionTo(name, value)?.message;
}

/** The comments that stand behind settings, which become their reasons. */
function commentsOf(document: Document): Record<string, string> {
  const settings = document.get('settings');
  if (!isMap(settings)) return {};
  return Object.fromEntries(
    settings.items.flatMap(({ key, value }): [string, string][] =>
      isScalar(key) && isScalar(value) && value.comment ? [[String(key.value), value.comment.trim()]] : [],
    ),
  );
}

function readSize(text: string, context: z.RefinementCtx): Bytes {
  try {
    return parseSize(text);
  } catch {
    context.addIssue({ code: 'custom', message: `"${text}" is no size like 128MB` });
    return z.NEVER;
  }
}

function readMemory(text: string, context: z.RefinementCtx): MemoryWish {
  const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) > 0 && Number(percent) <= 80) return { share: Number(percent) / 100 };
  try {
    if (percent === undefined) return { bytes: parseSize(text) };
  } catch {
    // Told below, together with what a share looks like.
  }
  context.addIssue({ code: 'custom', message: `"${text}" is neither a share of up to 80% nor a size like 512MB` });
  return z.NEVER;
}

import * as z from 'zod';
import { nowIso } from './host/clock.ts';
import { readText } from './host/files.ts';
import { appendLine } from './host/for-good.ts';
import { callerName } from './host/users.ts';

const lineSchema = z.object({
  at: z.string(),
  /** Who gave the command; for a sudo, the person behind it. */
  user: z.string(),
  action: z.string(),
  instance: z.string().nullable(),
  /** The options given, without secrets. */
  arguments: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  /** `ok`, the code of the error, or KILLED: found dead by a later command, which has cleared up. */
  result: z.string(),
  /** What the error said, on one line. */
  message: z.string().optional(),
  seconds: z.number(),
});

export type AuditLine = z.infer<typeof lineSchema>;

/** Options whose values are nobody's business. */
const secret = /password|secret|token|^ping$/i;

/** Adds one line to the record of what was done here. The file is only ever added to. */
export function writeAudit(file: string, line: Omit<AuditLine, 'at' | 'user' | 'arguments'>, options: object): void {
  const given = Object.entries(options).filter(
    ([name, value]) => value !== undefined && typeof value !== 'object' && !secret.test(name),
  );
  const whole: AuditLine = { at: nowIso(), user: callerName(), ...line, arguments: Object.fromEntries(given) };
  appendLine(file, JSON.stringify(whole));
}

/** What was done, oldest first; a line cut short by a power loss is passed over. */
export function readAudit(file: string): AuditLine[] {
  const lines = readText(file)?.split('\n') ?? [];
  return lines.flatMap((line) => {
    try {
      return [lineSchema.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

import * as z from 'zod';
import { readText } from '../host/files.ts';
import { appendLine } from '../host/for-good.ts';
import { severities } from '../diagnosis/finding.ts';

const eventSchema = z.object({
  at: z.string(),
  event: z.enum(['came', 'went']),
  code: z.string(),
  /** An instance, or `host`. */
  subject: z.string(),
  severity: z.enum(severities),
  cause: z.string(),
  remedy: z.string(),
});

/** A problem that was there at a look and not at the one before, or the other way round; or an action that failed, or succeeds again. */
export type ProblemEvent = z.infer<typeof eventSchema> & {
  /** What has failed, as the audit tells; absent for what a look has found. */
  action?: string;
};

/** What came and went, oldest first; a line cut short by a power loss is passed over. */
export function readProblemLog(file: string): ProblemEvent[] {
  const lines = readText(file)?.split('\n') ?? [];
  return lines.flatMap((line) => {
    try {
      return [eventSchema.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

/** The file is only ever added to. */
export function writeProblemLog(file: string, events: readonly ProblemEvent[]): void {
  for (const event of events) appendLine(file, JSON.stringify(event));
}

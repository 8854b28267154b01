import { resolve } from 'node:path';
import { readAudit } from '../audit.ts';
import { diagnose as lookAtAll } from '../diagnosis/diagnose.ts';
import { AppError, exitStatus } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import { writeSystemFile } from '../host/callers-files.ts';
import { instanceNames } from '../instances/record.ts';
import { Leases } from '../ports/leases.ts';
import { readProblemLog, writeProblemLog } from '../watch/problem-log.ts';
import { renderProblems } from '../watch/problems-markdown.ts';
import { changesSince, type Problem, problemsOf } from '../watch/problems.ts';
import { troublesOf } from '../watch/troubles.ts';
import { type HostAction, hostAction, type HostContext, type Text } from './action.ts';
import { diagnose } from './diagnose.ts';

const formats = ['table', 'markdown', 'json'] as const;

export const problems = hostAction({
  name: 'problems',
  summary: 'a registry of what went wrong, now and over time',
  details:
    'Each run looks as diagnose does and writes down what has come and gone since the last one; a schedule makes the history good. What actions failed with, or were killed in, comes from the audit, until they succeed again. Judges each problem (resource conflict, data integrity, configuration) and tells the active ones, those that come and go, and those that were resolved in the last thirty days. What puts the data in doubt is escalated: only a person decides, and the exit status is 7 until then. An info of diagnose is no problem.',
  examples: [
    ['./manage.ts --action problems', 'as a table'],
    ['./manage.ts problems --file PROBLEMS.md --quiet', 'for cron: the registry as a file that scanners read'],
    ['./manage.ts problems --format json', 'for scripts'],
  ],
  options: {
    format: { type: 'string', choices: formats, describe: 'how to print it (default table)' },
    file: { type: 'string', describe: 'write the markdown to this file, whole or not at all' },
    fix: { type: 'boolean', describe: 'first do what is safe, as diagnose --fix does' },
  },
  target: 'none',
  lock: 'none',
  changes: true,
  async run(context, { format = 'table', file, fix }) {
    const { places, dryRun } = context;
    const found = await registry(context, fix === true && !dryRun);
    const markdown = renderProblems(found);
    const path = file === undefined ? undefined : resolve(context.callerFolder, file);
    if (path !== undefined && !dryRun) write(path, markdown);
    const escalated = found.filter(({ status, triage }) => status === 'active' && triage.escalated);
    return {
      data: { problems: found, log: places.problems, file: path ?? null },
      text: textOf(found, format as (typeof formats)[number], markdown, path),
      ...(escalated.length > 0 ? { exitCode: exitStatus.notProven } : {}),
    };
  },
});

/** Looks, writes down what has changed, and tells the whole. Under the host lock, as two at once would both write the same change. */
async function registry(context: HostContext, fix: boolean): Promise<Problem[]> {
  const { places, budgetShare, task, dryRun } = context;
  const names = instanceNames(places);
  if (fix) await (diagnose as HostAction).run(context, { fix: true } as never, names, 'all');
  const looking = { places, leases: new Leases(places.host), budgetShare, signal: task.signal };
  const { findings } = await lookAtAll(looking, names);
  return await context.withHostLock(async () => {
    const known = readProblemLog(places.problems);
    const at = nowIso();
    const changes = changesSince(known, findings, at);
    if (!dryRun) writeProblemLog(places.problems, changes);
    const audit = readAudit(places.audit);
    const failed = troublesOf(audit, new Set<string>(names), at);
    return problemsOf([...known, ...changes, ...failed], audit, at);
  });
}

function write(path: string, markdown: string): void {
  try {
    writeSystemFile(path, markdown);
  } catch (error) {
    throw new AppError('USAGE', `${path} cannot be written: ${(error as Error).message}`, { cause: error });
  }
}

function textOf(found: readonly Problem[], format: (typeof formats)[number], markdown: string, path?: string): Text[] {
  if (format === 'json') return [{ line: JSON.stringify(found, null, 2) }];
  if (format === 'markdown') return [{ line: markdown.trimEnd() }];
  const written = path === undefined ? [] : [{ line: `written to ${path}` }];
  if (found.length === 0) return [{ line: 'no problem is known' }, ...written];
  const rows = found.map((one) => [
    one.status,
    one.triage.severity,
    one.frequency,
    one.lastOccurrenceAt.slice(0, 10),
    `${one.title}: ${one.status === 'active' ? one.remedy : (one.resolvedBy ?? 'gone')}`,
  ]);
  return [{ head: ['status', 'severity', 'frequency', 'last', 'problem, and what to type'], rows }, ...written];
}

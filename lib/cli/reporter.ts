import type { Outcome } from '../actions/action.ts';
import { type AppError, type ErrorCode, errorRegistry, exitStatus } from '../errors.ts';
import type { Report, Result, RunEvent } from '../runner.ts';
import type { Style } from './parse.ts';
import { type Paint, renderText } from './table.ts';

/** Where words go; tests give their own. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
}

/** What the screen shows while work goes on; a terminal and a pipe do it differently. */
export interface ProgressView {
  show(event: RunEvent, instance: string | undefined): void;
  /** Takes away what is only there for the moment. */
  clear(): void;
}

/** The exit status of a whole report. */
export function exitCodeOf({ results, several }: Report): number {
  const codes = results.map(codeOf);
  const failed = codes.filter((code) => code !== exitStatus.done);
  if (failed.length === 0) return exitStatus.done;
  if (!several) return failed[0] ?? exitStatus.failed;
  if (failed.includes(exitStatus.interrupted)) return exitStatus.interrupted;
  // All of them for one reason: that reason; a mixture: some failed.
  return failed.length === codes.length && new Set(failed).size === 1
    ? (failed[0] ?? exitStatus.failed)
    : exitStatus.partial;
}

function codeOf({ error, outcome }: Result): number {
  return error?.exitCode ?? outcome?.exitCode ?? exitStatus.done;
}

export function reportJson(style: Style, action: string, report: Report, output: Output): void {
  const documents = report.results.map((result) => resultDocument(action, result));
  const ok = exitCodeOf(report) === exitStatus.done;
  const document = report.several
    ? {
        schema: 1,
        action,
        ok,
        ...(report.plan && { plan: report.plan.data }),
        results: documents,
        ...errorOfMany(report),
        warnings: [],
      }
    : (documents[0] ?? { schema: 1, action, ok, results: [], warnings: [] });
  if (style.quiet && ok) return;
  output.out(JSON.stringify(document));
}

/** One reason for all is told as that; a status that is not "all is well" counts as a failure here, as in the exit status. */
function errorOfMany(report: Report): object {
  const exitCode = exitCodeOf(report);
  if (exitCode === exitStatus.done) return {};
  const failed = report.results.filter((result) => codeOf(result) !== exitStatus.done);
  const codes = new Set(failed.map(({ error }) => error?.code));
  const [only] = codes.size === 1 && exitCode !== exitStatus.partial ? codes : [];
  const code: ErrorCode = only ?? (exitCode === exitStatus.interrupted ? 'INTERRUPTED' : 'SOME_FAILED');
  const message = `${failed.length} of ${report.results.length} failed`;
  return { error: { code, message, hint: 'see the results', exitCode } };
}

function resultDocument(action: string, { instance, outcome, error, warnings }: Result): object {
  return {
    schema: 1,
    action,
    ok: error === undefined,
    ...(instance === undefined ? {} : { instance }),
    ...(error === undefined ? { data: outcome?.data ?? {} } : { error: errorDocument(error) }),
    warnings,
  };
}

function errorDocument({ code, message, hint, output, data }: AppError): object {
  return {
    code,
    message,
    hint: hint ?? '',
    exitCode: errorRegistry[code],
    ...(output ? { output } : {}),
    ...(data ? { data } : {}),
  };
}

/** @param tookMs how long it all took; given where it is to be told how many of several are done */
export function reportText(style: Style, report: Report, output: Output, paint: Paint, tookMs?: number): void {
  const many = report.several && report.results.length > 1;
  const together = new Map<string, Result[]>();
  const answers: Outcome[] = [];
  if (report.plan !== undefined && !style.quiet) printOutcome(report.plan, output, paint);
  for (const result of report.results) {
    const { instance, outcome, error } = result;
    const well = codeOf(result) === exitStatus.done;
    if (error !== undefined && many && isToldTogether(error)) {
      together.set(error.message, [...(together.get(error.message) ?? []), result]);
    } else if (error !== undefined) printError(error, style, output, paint, many ? instance : undefined);
    else if (outcome !== undefined && !(style.quiet && well)) answers.push(outcome);
  }
  for (const [index, outcome] of joined(answers).entries()) {
    if (index > 0 && isPage(outcome)) output.out('');
    printOutcome(outcome, output, paint);
  }
  const failed = report.results.filter(({ error }) => error !== undefined && !isToldTogether(error));
  const count = ({ length }: Result[]): string => `${length} of ${report.results.length}`;
  const told = (what: string, results: Result[]): string =>
    `${count(results)} ${what}: ${results.map(({ instance }) => instance).join(', ')}`;
  const done = report.results.filter(({ error }) => error === undefined);
  if (many && tookMs !== undefined && done.length > 0 && !style.quiet)
    output.err(`${count(done)} done in ${(tookMs / 1000).toFixed(1)} s`);
  if (many && failed.length > 0) output.err(paint.red(told('failed', failed)));
  for (const [message, results] of together) output.err(paint.yellow(told(message, results)));
  const [[first] = []] = [...together.values()];
  if (first?.error?.hint) output.err(`${paint.bold('hint')}  ${first.error.hint}`);
  if (report.several && report.results.length === 0 && !style.quiet)
    output.err('nothing to do: there are no instances');
}

/** Where what holds them back is the same for all, they are told in one line, at the end. */
function isToldTogether({ code }: AppError): boolean {
  return code === 'HELD_BACK' || code === 'INTERRUPTED';
}

/** Tables that are parts of one, each of another instance, as that one. */
function joined(answers: readonly Outcome[]): Outcome[] {
  const [first, ...others] = answers;
  const [table] = first?.text ?? [];
  if (first === undefined || table === undefined || !('joins' in table)) return [...answers];
  const rows = others.flatMap(({ text }) => text.flatMap((part) => ('joins' in part ? part.rows : [])));
  return [{ ...first, text: [{ ...table, rows: [...table.rows, ...rows] }] }];
}

/** More than a line: set apart from the one before it. */
function isPage({ text }: Outcome): boolean {
  return text.some((part) => !('line' in part));
}

function printOutcome({ text }: Outcome, output: Output, paint: Paint): void {
  const screen = process.stdout.isTTY ? process.stdout.columns : undefined;
  for (const part of text) for (const line of renderText(part, paint, screen)) output.out(line);
}

/** What, why, what to type next, and the server's own words. */
export function printError(error: AppError, style: Style, output: Output, paint: Paint, instance?: string): void {
  const about = instance === undefined ? '' : `${instance}: `;
  output.err(`${paint.red('error')} ${about}${error.message} ${paint.dim(`[${error.code}]`)}`);
  if (error.output) for (const line of error.output.split('\n')) output.err(paint.dim(`  | ${line}`));
  if (error.hint) output.err(`${paint.bold('hint')}  ${error.hint}`);
  if (style.verbose) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      output.err(paint.dim(cause.stack ?? cause.message));
  }
}

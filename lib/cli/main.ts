import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { config } from 'zod';
import { AppError, exitStatus, toAppError } from '../errors.ts';
import { readCallersFile } from '../host/callers-files.ts';
import { monotonicMs } from '../host/clock.ts';
import { exists } from '../host/files.ts';
import { projectDirectory } from '../host/project.ts';
import { actions } from '../actions/index.ts';
import { type Action, changesAnything, type Common, isHostAction } from '../actions/action.ts';
import type { Places } from '../instances/places.ts';
import type { perform as performing } from '../runner.ts';
import type { Request } from '../request.ts';
import { openDialogue } from './dialogue.ts';
import { openLive } from './live.ts';
import { meansSeveral } from '../instances/names.ts';
import { readProjectFile } from '../instances/project-file.ts';
import { inTodaysWords } from './habits.ts';
import { parse, type Parsed, readStyle, type Style } from './parse.ts';
import { openPinger } from './pinger.ts';
import type { Output, ProgressView } from './reporter.ts';
import { plainProgress, silentProgress } from './progress.ts';
import { exitCodeOf, printError, reportJson, reportText } from './reporter.ts';
import {
  accountMade as accountMadeNow,
  type AccountNeed,
  parseShare,
  resolvePlaces,
  resolveSettings,
  type Settings,
} from './settings.ts';
import type { Paint } from './table.ts';

// To write JavaScript for a schema takes longer than to read our few small files without.
config({ jitless: true });

const plainPaint: Paint = { bold: same, dim: same, red: same, green: same, yellow: same };

function same(text: string): string {
  return text;
}

/** Runs one command line to its end and returns the exit status. Never throws, never ends the process. */
export async function main(given: readonly string[]): Promise<number> {
  const argv = inTodaysWords(given);
  // A reader that has gone away (| head) is no error of ours.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const output: Output = {
    out: (text) => void process.stdout.write(`${text}\n`),
    err: (text) => void process.stderr.write(`${text}\n`),
  };
  const style = readStyle(argv);
  const paint = await choosePaint(style);
  try {
    const parsed = await parse(argv, toolVersion(), style);
    if (parsed.kind === 'text') {
      output.out(parsed.text);
      return exitStatus.done;
    }
    return await act(parsed, style, output, paint).catch((error: unknown) => {
      throw parsed.selector === undefined ? withoutName(error) : error;
    });
  } catch (thrown) {
    const error = toAppError(thrown);
    const { action, instance } = style;
    const report = {
      several: false,
      results: [{ ...(instance === undefined ? {} : { instance }), error, warnings: [] }],
    };
    if (style.json) reportJson(style, action ?? '', report, output);
    else printError(error, style, output, paint);
    return error.exitCode;
  }
}

/**
 * Loads what most command lines need and runs what touches nothing, so that lib/launch.cjs can keep V8's code for it: a
 * megabyte of that costs `list` 1 ms, and spares the others 10.
 */
export async function rehearse(): Promise<void> {
  const argv = ['list', '--json'];
  const style = readStyle(argv);
  await Promise.all([choosePaint(style), parse(argv, toolVersion(), style), import('../runner.ts')]);
  await Promise.all([import('../change.ts'), ...usual.map(async (name) => await actions[name].load())]);
}

/** What is done day by day. */
const usual = ['status', 'create', 'start', 'stop', 'migrate', 'backup', 'list-backups'] as const;

/** Who named no instance learns which was meant. */
function withoutName(error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== 'INSTANCE_NOT_FOUND') return error;
  return error.with({}, `none was named, and there is ${error.message}`);
}

type ParsedAction = Extract<Parsed, { kind: 'action' }>;

async function act(parsed: ParsedAction, style: Style, output: Output, paint: Paint): Promise<number> {
  const { action, options, common: flags } = parsed;
  // Loaded before root's powers are given up: afterwards the program's own files may be out of reach.
  const { perform, prepare } = await import('../runner.ts');
  await prepare(action, options);
  const view = await chooseView(style, output, paint);
  const changes = changesAnything(action, options);
  const asking = changes ? await import('./confirm.ts') : undefined;
  const [callerFolder, environment] = [process.cwd(), process.env];
  const settings = resolveSettings(flags, environment, callerFolder, accountNeed(action, options, flags['dry-run']));
  const places = resolvePlaces(settings);
  if (changes && !flags['dry-run']) tellDefaultRoot(settings, places, view);
  if (settings.runAs.origin === accountMadeNow) tellAccount(settings, view);
  const selector = parsed.selector ?? defaultSelector(action, callerFolder);
  const question = selector === undefined ? undefined : action.confirm?.(selector, options);
  const live = openLive({ style, output, paint });
  const request: Request = {
    action,
    selector,
    options: { ...options, ...(await handOver(action, settings, places)) },
    common: {
      ...commonOf(flags, settings, callerFolder),
      words: parsed.words,
      jobs: Math.max(1, flags.jobs ?? defaultJobs(changes)),
      several: meansSeveral(selector ?? ''),
      live,
      dialogue: openDialogue({ style, yes: flags.yes, output, view, paint, prompt: asking?.confirm }),
    },
    places,
  };
  if (question !== undefined && !flags.yes && !flags['dry-run']) {
    action.check?.(request.options, request.common);
    if (asking?.canAsk()) await assertPossible(perform, request);
    await asking?.confirm(question, selector ?? '');
  }

  const pinger = openPinger(action, flags['dry-run'] ? {} : options, flags['dry-run'] ? {} : environment, view);
  const { signal, dispose } = interruptible(action.untilStopped?.(options) ? undefined : view);
  try {
    const begunMs = monotonicMs();
    await pinger.tell('start');
    const report = await perform(request, signal, (event, instance) => view.show(event, instance));
    await pinger.tell(exitCodeOf(report) === exitStatus.done ? 'success' : 'fail');
    view.clear();
    live.close();
    if (style.json) reportJson(style, action.name, report, output);
    else reportText(style, report, output, paint, changes && !flags['dry-run'] ? monotonicMs() - begunMs : undefined);
    return exitCodeOf(report);
  } finally {
    view.clear();
    live.close();
    dispose();
  }
}

/**
 * Nobody is asked for a word on what would be refused: where a person can be asked, it is first done dry.
 * @throws what the action throws for it; of several instances, when it can be done to none
 */
async function assertPossible(perform: typeof performing, request: Request): Promise<void> {
  const dry = { ...request, common: { ...request.common, dryRun: true } };
  const { results } = await perform(dry, new AbortController().signal, () => undefined);
  const [first] = results;
  if (first?.error !== undefined && results.every(({ error }) => error !== undefined)) throw first.error;
}

/** Only install, and what makes an instance, make the account for it; everything else that changes something must find it. */
function accountNeed(action: Action, options: ParsedAction['options'], dryRun: boolean | undefined): AccountNeed {
  if (dryRun === true || !changesAnything(action, options)) return 'look';
  const makes = isHostAction(action) ? action.name === 'install' : action.target !== 'existing';
  return makes ? 'make' : 'have';
}

function tellAccount({ runAs }: Settings, view: ProgressView): void {
  const message = `the account ${runAs.value} was made, as there was none: servers run as it, never as root`;
  view.show({ type: 'notice', message }, undefined);
}

/** Said once, by the first action that puts anything into a root that nobody named and that is not the checkout. */
function tellDefaultRoot({ root }: Settings, places: Places, view: ProgressView): void {
  if (!root.origin.startsWith('default') || exists(places.journal)) return;
  view.show({ type: 'notice', message: `instances and backups go to ${root.value} (${root.origin})` }, undefined);
}

/** The project's instance, or the old tool's default; an action that takes something away must be told which. */
function defaultSelector(action: Action, callerFolder: string): string | undefined {
  if (isHostAction(action) || action.confirm !== undefined) return undefined;
  return readProjectFile(callerFolder)?.instance ?? 'main';
}

/** Reading is done side by side, and changing one after the other unless asked otherwise. */
function defaultJobs(changes: boolean): number {
  return changes ? 1 : 8;
}

/** What only the command line knows, for the actions that tell of it; the rest of the program knows what settings come to. */
async function handOver(action: Action, settings: Settings, places: Places): Promise<object> {
  if (action.name === 'config') return { settings, places };
  if (action.name !== 'install') return {};
  const { shellFiles } = await import('./shell-files.ts');
  const accountMade = settings.runAs.origin === accountMadeNow;
  return { machine: { accountMade, files: await shellFiles(toolVersion()) } };
}

function commonOf(
  flags: ParsedAction['common'],
  settings: Settings,
  callerFolder: string,
): Omit<Common, 'jobs' | 'several' | 'dialogue' | 'live' | 'words'> {
  const milliseconds = (seconds: number | undefined): number | undefined =>
    seconds === undefined ? undefined : seconds * 1000;
  return {
    dryRun: flags['dry-run'] ?? false,
    timeoutMs: milliseconds(flags.timeout),
    lockTimeoutMs: milliseconds(flags['lock-timeout']) ?? 30_000,
    bindir: settings.bindir?.value,
    budgetShare: parseShare(settings.budget),
    pgVersion: flags['pg-version'],
    callerFolder,
    toolVersion: toolVersion(),
  };
}

/**
 * The first Ctrl-C or SIGTERM asks the work to end and undo itself; the second is the system's again, and forces.
 * @param view absent for work that goes on until it is stopped: there is nothing to say of it, and a reader that has gone
 * away (| head) stops it, too
 */
function interruptible(view: ProgressView | undefined): { signal: AbortSignal; dispose: () => void } {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const interrupt = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      dispose();
      process.kill(process.pid, name);
      return;
    }
    // We go on listening: libraries that clear up after a signal (signal-exit) end the process where nobody else listens.
    view?.show({ type: 'notice', message: 'interrupted: ending and clearing up; once more to force' }, undefined);
    controller.abort(new AppError('INTERRUPTED', `interrupted by ${name}`));
  };
  const readerGone = (): void => controller.abort(new AppError('INTERRUPTED', 'nobody reads on'));
  const dispose = (): void => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, interrupt);
    process.stdout.off('error', readerGone);
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, interrupt);
  if (view === undefined) process.stdout.on('error', readerGone);
  return { signal: controller.signal, dispose };
}

async function choosePaint({ color }: Style): Promise<Paint> {
  const { NO_COLOR, TERM } = process.env;
  const wanted = color ?? (Boolean(process.stderr.isTTY && process.stdout.isTTY) && !NO_COLOR && TERM !== 'dumb');
  return wanted ? (await import('chalk')).default : plainPaint;
}

async function chooseView(style: Style, output: Output, paint: Paint): Promise<ProgressView> {
  if (style.quiet || style.json) return silentProgress();
  if (!process.stderr.isTTY || process.env['TERM'] === 'dumb') return plainProgress(output, paint);
  const [{ default: ora }, { liveProgress }] = await Promise.all([import('ora'), import('./progress.ts')]);
  return liveProgress(ora({ stream: process.stderr, discardStdin: false }), paint);
}

function toolVersion(): string {
  const { version } = JSON.parse(readCallersFile(join(projectDirectory, 'package.json'))) as { version: string };
  return version;
}

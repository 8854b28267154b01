import {
  type Action,
  changesAnything,
  type Context,
  type HostContext,
  type InstanceAction,
  isHostAction,
  type Options,
  type Outcome,
  type Values,
} from './actions/action.ts';
import { AppError, isAbort, toAppError } from './errors.ts';
import { type InstanceName, meansSeveral, parseName, sameName, select } from './instances/names.ts';
import type { Places } from './instances/places.ts';
import { existingName, instanceNames } from './instances/record.ts';
import type { Request, Work } from './request.ts';
import { rollOut } from './rollout.ts';
import { type ProgressEvent, Task } from './task.ts';

/** What work says, and where several are selected, which these are, whose turn it is and what came of it. */
export type RunEvent =
  | ProgressEvent
  | { type: 'selected'; names: readonly InstanceName[] }
  | { type: 'turn' }
  | { type: 'over'; result: Result };

export interface Listener {
  (event: RunEvent, instance: string | undefined): void;
}

/** What came of an action on one instance, or on the host. */
export interface Result {
  instance?: string;
  outcome?: Outcome;
  error?: AppError;
  warnings: string[];
}

export interface Report {
  results: Result[];
  /** Whether the selector may mean several, so that the answer is a list however many there were. */
  several: boolean;
  /** What was to be done where, of an action that plans for several together; its text only where it was not shown before. */
  plan?: Outcome;
}

/**
 * Loads what only actions that change something need: half of the program, and the slow half. Everything of ours is to be
 * loaded before root's powers are given up, as the program's own files may be out of reach afterwards.
 */
export async function prepare(action: Action, options: Values<Options>): Promise<void> {
  if (changesAnything(action, options)) await import('./change.ts');
}

/** Does what is asked, on every instance selected; a failure on one does not hold up the others. */
export async function perform(request: Request, signal: AbortSignal, tell: Listener): Promise<Report> {
  const { action, selector, places } = request;
  action.check?.(request.options, request.common);
  if (isHostAction(action)) {
    const selected = action.target === 'some' ? select(selector ?? 'all', instanceNames(places)) : [];
    const work: Work = async (context) => {
      const act = actor(request, context, tell);
      return await action.run({ ...context, act }, request.options, selected, selector ?? 'all');
    };
    return { several: false, results: [await attempt(request, undefined, signal, tell, work)] };
  }
  const names = targets(action, selector, places, await knownNames(action, places));
  const several = meansSeveral(selector ?? '');
  const one = async (name: InstanceName): Promise<Result> => {
    if (signal.aborted) return { instance: name, warnings: [], error: interrupted('not begun, as it was interrupted') };
    tell({ type: 'turn' }, name);
    const work: Work = async (context) => await action.run(context, name, request.options);
    const result = await attempt(request, name, signal, tell, work);
    tell({ type: 'over', result }, name);
    return result;
  };
  if (names.length > 1 && !action.untilStopped?.(request.options)) tell({ type: 'selected', names }, undefined);
  if (action.rollout === undefined || names.length < 2) return { several, results: await inQueue(request, names, one) };

  const { common, options } = request;
  const planning = readingContext(request, new Task(signal, (event) => tell(event, undefined)));
  const rollout = await action.rollout(planning, names, options);
  const { data, text } = rollout.plan;
  if (!common.dryRun) common.dialogue.show(text);
  const results = await rollOut(names, rollout, common.jobs, one);
  return { several, results, plan: { data, text: common.dryRun ? text : [] } };
}

/** Each on its own, the next begun as soon as one has ended. */
async function inQueue(
  { action, options, common }: Request,
  names: readonly InstanceName[],
  one: (name: InstanceName) => Promise<Result>,
): Promise<Result[]> {
  const atOnce = action.untilStopped?.(options) ? names.length : Math.min(common.jobs, names.length);
  const results: Result[] = [];
  const queue = [...names.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await one(next[1]);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

/** Loaded only where it is asked for: most actions know nothing of backups. */
async function knownNames({ alsoBackedUp }: InstanceAction, places: Places): Promise<InstanceName[]> {
  const names = instanceNames(places);
  if (alsoBackedUp === undefined) return names;
  const { repositoryNames } = await import('./backups/repository.ts');
  const lost = repositoryNames(places).filter((name) => !names.some((other) => sameName(name, other)));
  return [...names, ...lost].sort();
}

function targets(
  action: InstanceAction,
  selector: string | undefined,
  places: Places,
  known: readonly InstanceName[],
): InstanceName[] {
  if (selector === undefined) {
    throw new AppError('USAGE', `${action.name} needs --instance NAME`, {
      hint: `for example: ${action.examples[0]?.[0] ?? `./manage.ts --action ${action.name} --instance client-a`}`,
    });
  }
  if (action.target === 'new' || (action.target === 'either' && !meansSeveral(selector))) {
    return selector.split(',').map((part) => {
      const name = parseName(part.trim());
      return existingName(places, name) ?? name;
    });
  }
  return select(selector, known);
}

async function attempt(
  request: Request,
  name: InstanceName | undefined,
  signal: AbortSignal,
  tell: Listener,
  work: Work,
): Promise<Result> {
  const warnings: string[] = [];
  const task = new Task(signal, (event) => {
    if (event.type === 'warning') warnings.push(event.message);
    tell(event, name);
  });
  const instance = name === undefined ? {} : { instance: name as string };
  try {
    return { ...instance, warnings, outcome: await run(request, name, task, work) };
  } catch (thrown) {
    return { ...instance, warnings, error: explain(thrown, signal) };
  }
}

function explain(thrown: unknown, signal: AbortSignal): AppError {
  if (signal.aborted && (isAbort(thrown) || thrown === signal.reason)) {
    return interrupted('interrupted; what had not ended was undone', thrown);
  }
  return toAppError(thrown);
}

function interrupted(message: string, cause?: unknown): AppError {
  return new AppError('INTERRUPTED', message, { hint: 'the same command may be given again', cause });
}

/** Lets an action on the host have others done; see `HostContext`. */
function actor(request: Request, { task: { signal, emit } }: Context, tell: Listener): HostContext['act'] {
  return async (action, target, given, changed) => {
    const options = given as Values<Options>;
    const dialogue = { show: () => undefined, confirm: async () => undefined };
    const common = { ...request.common, dialogue, ...changed };
    const made: Request = { ...request, action, selector: target, options, common };
    if (isHostAction(action)) {
      const selected = action.target === 'some' ? select(target, instanceNames(request.places)) : [];
      const work: Work = async (context) => {
        return await action.run({ ...context, act: actor(made, context, tell) }, options, selected, target);
      };
      return await run(made, undefined, new Task(signal, emit), work);
    }
    const name = parseName(target);
    const task = new Task(signal, (event) =>
      event.type === 'warning' ? emit({ ...event, message: `${name}: ${event.message}` }) : tell(event, name),
    );
    return await run(made, name, task, async (context) => await action.run(context, name, options));
  };
}

async function run(request: Request, name: InstanceName | undefined, task: Task, work: Work): Promise<Outcome> {
  if (!changesAnything(request.action, request.options)) return await work(readingContext(request, task));
  const { change } = await import('./change.ts');
  return await change(request, name, task, work);
}

/** An action that changes nothing has no locks, no leases and no journal; it must not so much as ask for them. */
function readingContext({ common, places }: Request, task: Task): Context {
  return { ...common, places, task } as Context;
}

import { join } from 'node:path';
import type { Action, Common, Context, InstanceAction, Options, Outcome, Values } from './actions/action.ts';
import { AppError, isAbort, toAppError } from './errors.ts';
import { ensureFolder } from './host/files.ts';
import { acquire, describeHolder, type Lock } from './host/locks.ts';
import { type InstanceName, meansSeveral, parseName, select } from './instances/names.ts';
import type { Places } from './instances/places.ts';
import { existingName, instanceNames } from './instances/record.ts';
import { Journal, unwind } from './journal.ts';
import { Leases } from './ports/leases.ts';
import { recover, undoStep, unfinishedOf } from './recovery.ts';
import { type ProgressEvent, Task } from './task.ts';

export interface Request {
  action: Action;
  selector: string | undefined;
  options: Values<Options>;
  common: Common;
  places: Places;
  /** How many instances at once. */
  jobs: number;
}

export interface Listener {
  (event: ProgressEvent, instance: string | undefined): void;
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
}

/** Does what is asked, on every instance selected; a failure on one does not hold up the others. */
export async function perform(request: Request, signal: AbortSignal, tell: Listener): Promise<Report> {
  const { action, selector, places } = request;
  if (action.target === 'none') {
    const { run } = action;
    return {
      several: false,
      results: [
        await attempt(request, undefined, signal, tell, async (context) => await run(context, request.options)),
      ],
    };
  }
  const names = targets(action, selector, places);
  const several = meansSeveral(selector ?? '');
  const results: Result[] = [];
  const queue = [...names.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, name] = next;
      results[index] = await attempt(
        request,
        name,
        signal,
        tell,
        async (context) => await action.run(context, name, request.options),
      );
    }
  };
  await Promise.all(Array.from({ length: Math.min(request.jobs, names.length) }, worker));
  return { several, results };
}

function targets(action: InstanceAction, selector: string | undefined, places: Places): InstanceName[] {
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
  return select(selector, instanceNames(places));
}

type Work = (context: Context) => Promise<Outcome>;

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
    return { ...instance, warnings, outcome: await locked(request, name, task, work) };
  } catch (thrown) {
    return { ...instance, warnings, error: explain(thrown, signal) };
  }
}

function explain(thrown: unknown, signal: AbortSignal): AppError {
  if (signal.aborted && (isAbort(thrown) || thrown === signal.reason)) {
    return new AppError('INTERRUPTED', 'interrupted; what was begun has been undone', {
      hint: 'the same command may be given again',
      cause: thrown,
    });
  }
  return toAppError(thrown);
}

/** Takes the lock that the action declares, clears up after killed operations, and keeps the journal of this one. */
async function locked(request: Request, name: InstanceName | undefined, task: Task, work: Work): Promise<Outcome> {
  const { action, places, common } = request;
  const { leases, withHostLock } = hostServices(request, task);
  const base = { ...common, places, leases, task, withHostLock };
  if (!action.changes || common.dryRun) return await work({ ...base, journal: noJournal });

  ensureFolder(places.root, 0o755);
  const lock = name === undefined || action.lock === 'none' ? undefined : await lockInstance(request, name, task);
  try {
    await clearUp(request, base, name);
    const journal = Journal.begin(places.journal, action.name, name ?? '');
    try {
      const outcome = await work({ ...base, journal });
      journal.close();
      return outcome;
    } catch (error) {
      // What ends the work must not end the clearing up after it.
      if (journal.unfinished.steps.length > 0) task.emit({ type: 'notice', message: 'undoing what was begun' });
      const calm = new Task(new AbortController().signal, task.emit);
      await unwind(places.journal, journal.unfinished, async (step) => await undoStep({ ...base, task: calm }, step));
      throw error;
    }
  } finally {
    lock?.release();
  }
}

/** Finishes or undoes what killed operations left, by one process at a time where several hold the instance together. */
async function clearUp(
  request: Request,
  base: Omit<Context, 'journal'>,
  name: InstanceName | undefined,
): Promise<void> {
  if (name === undefined || unfinishedOf(request.places, name).length === 0) return;
  const lock = await acquire({
    folder: join(request.places.locks, `${name.toLowerCase()}+recovery`),
    mode: 'exclusive',
    subject: `the recovery of ${name}`,
    action: request.action.name,
    timeoutMs: request.common.lockTimeoutMs,
    signal: base.task.signal,
  });
  try {
    await recover(base, name);
  } finally {
    lock.release();
  }
}

const noJournal = {
  intend: refuse,
  settle: refuse,
} as unknown as Journal;

function refuse(): never {
  throw new Error('an action that changes nothing has tried to');
}

async function lockInstance({ action, places, common }: Request, name: InstanceName, task: Task): Promise<Lock> {
  return await acquire({
    folder: join(places.locks, name.toLowerCase()),
    mode: action.lock === 'exclusive' ? 'exclusive' : 'shared',
    subject: `instance ${name}`,
    action: action.name,
    timeoutMs: common.lockTimeoutMs,
    signal: task.signal,
    onWait: (holders) =>
      task.emit({ type: 'notice', message: `waiting for ${holders.map(describeHolder).join(', ')}` }),
  });
}

function hostServices({ action, places, common }: Request, task: Task): Pick<Context, 'leases' | 'withHostLock'> {
  return {
    leases: new Leases(places.host),
    withHostLock: async (step) => {
      ensureFolder(places.host, 0o1777);
      const lock = await acquire({
        folder: join(places.host, 'lock'),
        folderMode: 0o777,
        mode: 'exclusive',
        subject: 'this host',
        action: action.name,
        timeoutMs: common.lockTimeoutMs,
        signal: task.signal,
      });
      try {
        return await step();
      } finally {
        lock.release();
      }
    },
  };
}

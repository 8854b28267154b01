import { type Action, type Context, isHostAction, type Options, type Outcome, type Values } from './actions/action.ts';
import { writeAudit } from './audit.ts';
import { AppError, toAppError } from './errors.ts';
import { monotonicMs } from './host/clock.ts';
import { ensureFolder } from './host/folders.ts';
import type { InstanceName } from './instances/names.ts';
import { Journal, unwind } from './journal.ts';
import { type Recovered, recover, undoStep, unfinishedOf } from './recovery.ts';
import type { Request, Work } from './request.ts';
import { type LockWish, Services } from './services.ts';
import { Task } from './task.ts';

/** Takes the locks that the action declares, clears up after killed operations, and keeps journal and audit of this one. */
export async function change(
  request: Request,
  name: InstanceName | undefined,
  task: Task,
  work: Work,
): Promise<Outcome> {
  const { action, places, common, options } = request;
  const services = new Services(places, action.name, common.lockTimeoutMs, task);
  if (common.dryRun) return await work(contextOf(request, services, task, noJournal, []));

  ensureFolder(places.root, 0o755);
  const subject = name === undefined ? undefined : subjectOf(action, name, options);
  return await services.withLocks(locksOf(action, name, subject), async (assertHeld) => {
    // What is no instance's has the empty name: an action on the host clears up after those before it.
    const recovered = await clearUp(request, services, task, subject ?? '');
    return await audited(request, subject, async () => {
      const journal = Journal.begin(places.journal, action.name, subject ?? '', assertHeld);
      const context = contextOf(request, services, task, journal, recovered);
      return await journaled(context, places, work);
    });
  });
}

function subjectOf(action: Action, name: InstanceName, options: Values<Options>): InstanceName {
  return isHostAction(action) ? name : (action.subject?.(name, options) ?? name);
}

function locksOf({ lock }: Action, name: InstanceName | undefined, subject: InstanceName | undefined): LockWish[] {
  if (name === undefined || subject === undefined || lock === 'none') return [];
  return subject === name
    ? [{ name, mode: lock }]
    : [
        { name, mode: 'shared' },
        { name: subject, mode: lock },
      ];
}

function contextOf(
  { common, places }: Request,
  services: Services,
  task: Task,
  journal: Journal,
  recovered: Recovered[],
): Context {
  const { leases } = services;
  return {
    ...common,
    places,
    leases,
    task,
    journal,
    recovered,
    withHostLock: async (step) => await services.withHostLock(step),
    withInstanceLock: async (name, mode, step) => await services.withLocks([{ name, mode }], step),
  };
}

/** Runs the work; when it fails or is interrupted, what it has begun is undone as it would be after a kill. */
async function journaled(context: Context, { journal: folder }: Request['places'], work: Work): Promise<Outcome> {
  const { journal, task } = context;
  try {
    const outcome = await work(context);
    journal.close();
    return outcome;
  } catch (error) {
    // Time being up ends the waiting, and kills and removes nothing: the next action finds what was begun in the journal.
    const leftAlone = error instanceof AppError && error.code === 'STILL_STARTING' && !journal.unfinished.settled;
    if (leftAlone) throw error;
    if (journal.unfinished.steps.length > 0) task.emit({ type: 'notice', message: 'clearing up what was begun' });
    // What ended the work must not end the clearing up after it.
    const undoing = { ...context, task: new Task(new AbortController().signal, task.emit) };
    await unwind(folder, journal.unfinished, async (step) => await undoStep(undoing, step));
    throw error;
  }
}

async function audited(
  request: Request,
  instance: InstanceName | undefined,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  const { action, options, places } = request;
  const begunMs = monotonicMs();
  const write = (result: string, message?: string): void => {
    const seconds = Math.round(monotonicMs() - begunMs) / 1000;
    const told = message === undefined ? {} : { message: message.replaceAll(/\s*\n\s*/g, ' ').slice(0, 500) };
    writeAudit(places.audit, { action: action.name, instance: instance ?? null, result, ...told, seconds }, options);
  };
  try {
    const outcome = await work();
    write('ok');
    return outcome;
  } catch (error) {
    const { code, message } = toAppError(error);
    write(code, message);
    throw error;
  }
}

/** Finishes or undoes what killed operations left, by one process at a time where several hold the instance together. */
async function clearUp({ places }: Request, services: Services, task: Task, name: string): Promise<Recovered[]> {
  const names = new Set(unfinishedOf(places, name).map(({ instance }) => instance));
  if (names.size === 0) return [];
  const { leases } = services;
  return await services.withLocks(
    [...names].map((instance) => ({ name: `${instance}+recovery`, mode: 'exclusive' })),
    async () => await recover({ places, leases, task }, name),
  );
}

const noJournal = { id: 'dry-run', intend: refuse, settle: refuse } as unknown as Journal;

function refuse(): never {
  throw new Error('a dry run has tried to change something');
}

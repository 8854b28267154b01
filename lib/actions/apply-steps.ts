import { type AppError, AppError as Failure, toAppError } from '../errors.ts';
import type { Step, StepAction } from '../fleet/steps.ts';
import type { Action, HostContext } from './action.ts';
import { autostart } from './autostart.ts';
import { createDb } from './create-db.ts';
import { createUser } from './create-user.ts';
import { create } from './create.ts';
import { destroy } from './destroy.ts';
import { dropDb } from './drop-db.ts';
import { dropUser } from './drop-user.ts';
import { migrate } from './migrate.ts';
import { pooler } from './pooler.ts';
import { restart } from './restart.ts';
import { schedule } from './schedule.ts';
import { seed } from './seed.ts';
import { start } from './start.ts';
import { stop } from './stop.ts';
import { tune } from './tune.ts';

/** Loaded with this one: later the program's own files may be out of reach; see `prepare` in lib/runner.ts. */
const actions: Readonly<Record<StepAction, Action>> = {
  autostart,
  create,
  'create-db': createDb,
  'create-user': createUser,
  destroy,
  'drop-db': dropDb,
  'drop-user': dropUser,
  migrate,
  pooler,
  restart,
  schedule,
  seed,
  start,
  stop,
  tune,
};

/** A step that was done, or what came instead. */
export interface Done {
  step: Step;
  error?: AppError;
}

/**
 * Does the steps, each as the action that it is. Removals of instances come first, as they make room; then the instances, as
 * many at once as --jobs says; then what is the root's. A failure ends the steps of its instance and of no other.
 */
export async function doSteps(context: HostContext, steps: readonly Step[]): Promise<Done[]> {
  const removals = steps.filter(({ action }) => action === 'destroy');
  const others = steps.filter((step) => step.instance !== undefined && !removals.includes(step));
  const names = new Set(others.map(({ instance }) => instance));
  const groups = [...names].map((name) => others.filter(({ instance }) => instance === name));
  const done: Done[] = [];
  for (const step of removals) done.push(await doStep(context, step));
  const worker = async (): Promise<void> => {
    for (let next = groups.shift(); next !== undefined; next = groups.shift())
      done.push(...(await inOrder(context, next)));
  };
  await Promise.all(Array.from({ length: context.jobs }, worker));
  done.push(
    ...(await inOrder(
      context,
      steps.filter(({ instance }) => instance === undefined),
    )),
  );
  return done;
}

async function inOrder(context: HostContext, steps: readonly Step[]): Promise<Done[]> {
  const done: Done[] = [];
  for (const step of steps) {
    const one = await doStep(context, step);
    done.push(one);
    if (one.error !== undefined) break;
  }
  return done;
}

async function doStep(context: HostContext, step: Step): Promise<Done> {
  const { action: name, instance, pgVersion } = step;
  const { selector, ...options } = step.options;
  try {
    const target = instance ?? String(selector ?? 'all');
    await context.act(actions[name], target, options, pgVersion === undefined ? {} : { pgVersion });
    return { step };
  } catch (error) {
    context.task.signal.throwIfAborted();
    return { step, error: toAppError(error) };
  }
}

/** What failed, as one error; undefined where nothing did. */
export function failure(done: readonly Done[]): AppError | undefined {
  const failed = done.flatMap(({ step, error }) => (error === undefined ? [] : [{ step, error }]));
  const [first] = failed;
  if (first === undefined) return undefined;
  const well = done.length - failed.length;
  const hint = 'correct what failed and give the same command again: what is done is passed over';
  const where = ({ step: { instance, action } }: (typeof failed)[number]): string =>
    `${instance ?? 'this root'}, ${action}`;
  const data = {
    done: well,
    failed: failed.map(({ step: { instance, action }, error: { code, message } }) => {
      return { instance: instance ?? null, action, code, message };
    }),
  };
  if (failed.length === 1 && well === 0) return first.error.with(data, `${where(first)}: ${first.error.message}`);
  const output = failed.flatMap((one) => [
    `${where(one)}: ${one.error.message} [${one.error.code}]`,
    ...(one.error.hint === undefined ? [] : [`  ${one.error.hint}`]),
  ]);
  return new Failure('SOME_FAILED', `${failed.length} of ${done.length} steps failed`, {
    hint,
    output: output.join('\n'),
    data,
  });
}

import type { Outcome } from './actions/action.ts';
import { AppError } from './errors.ts';
import type { InstanceName } from './instances/names.ts';

/** How an action goes through several instances where their order and a failure matter. */
export interface Rollout {
  /** Is done alone, before all others. */
  canary: InstanceName;
  /** Whether a failure holds back the waves that have not begun. */
  stopOnFailure: boolean;
  /** What will be done where; shown before the first begins. */
  plan: Outcome;
}

/** The canary alone, then all others in their order, as many at once as `jobs`. */
export function planWaves(names: readonly InstanceName[], canary: InstanceName, jobs: number): InstanceName[][] {
  const others = names.filter((name) => name !== canary);
  const waves = Array.from({ length: Math.ceil(others.length / jobs) }, (_, wave) =>
    others.slice(wave * jobs, (wave + 1) * jobs),
  );
  return [[canary], ...waves];
}

/**
 * Goes through the waves, each begun when the one before it has ended as a whole: how many instances a bad change can reach
 * is known beforehand. What comes of each is given in the order of `names`.
 */
export async function rollOut<R extends { instance?: string; error?: AppError }>(
  names: readonly InstanceName[],
  { canary, stopOnFailure }: Rollout,
  jobs: number,
  attempt: (name: InstanceName) => Promise<R>,
): Promise<(R | HeldBack)[]> {
  const results = new Map<InstanceName, R | HeldBack>();
  let failed: string | undefined;
  for (const wave of planWaves(names, canary, jobs)) {
    const holder = stopOnFailure ? failed : undefined;
    const work = async (name: InstanceName): Promise<R | HeldBack> =>
      holder === undefined ? await attempt(name) : heldBack(name, holder, holder === canary);
    const ended = await Promise.all(wave.map(async (name) => [name, await work(name)] as const));
    for (const [name, result] of ended) results.set(name, result);
    failed ??= ended.find(([, { error }]) => error !== undefined)?.[0];
  }
  return names.flatMap((name) => results.get(name) ?? []);
}

interface HeldBack {
  instance: string;
  error: AppError;
  warnings: string[];
}

function heldBack(name: InstanceName, failed: string, isCanary: boolean): HeldBack {
  const error = new AppError('HELD_BACK', `not begun, as ${failed}${isCanary ? ', the canary,' : ''} failed before`, {
    hint: 'correct what failed and give the same command again: what is done already is passed over',
  });
  return { instance: name, error, warnings: [] };
}

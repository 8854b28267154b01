import { AppError } from '../errors.ts';
import { budgetOf } from './budget.ts';
import { derive, workMemOf } from './derive.ts';
import { fitServer, type Fit } from './fit.ts';
import { collectGiven, givenBytes, givenNumber, type Given } from './given.ts';
import { givesUpDurability } from './guards.ts';
import { committedBytes, stressBytes } from './memory.ts';
import { majorHasSetting } from './names.ts';
import { humanBytes } from './sizes.ts';
import type { Plan, PlanInput, PlannedSetting } from './types.ts';

export type { Neighbour, Plan, PlanInput, PlannedSetting, Wishes } from './types.ts';

/**
 * Decides the configuration of one instance beside the others of its host. What was asked for wins over the template, that
 * over the formulas; whoever decides, the sum of what all instances commit stays within the host's budget.
 * @throws MEMORY_BUDGET when it does not fit, BAD_SETTING for a wish that cannot be granted
 */
export function planInstance(input: PlanInput): Plan {
  const warnings: string[] = [];
  const given = collectGiven(input, warnings);
  const fit = fitServer(input, given, warnings);
  const { budgetBytes, othersBytes } = budgetOf(input);
  const settings = merge(derive(input, given, fit), given, input.major);
  const plan: Plan = {
    settings,
    maxConnections: fit.shape.maxConnections,
    memoryBytes: fit.allowanceBytes,
    committedBytes: committedBytes(fit.shape),
    stressBytes: stressOf(input, given, fit, settings),
    budgetBytes,
    othersBytes,
    warnings,
  };
  checkReserved(plan);
  warnings.push(...cautions(input, given, plan));
  return plan;
}

/** What was given takes the place of what was derived; the rest of it comes after. */
function merge(derived: PlannedSetting[], given: Given, major: number): PlannedSetting[] {
  const names = new Set(derived.map(({ name }) => name));
  const more = [...given]
    .filter(([name]) => !names.has(name))
    .map(([name, { value, reason }]) => ({ name, value, reason }));
  return [...derived.map((setting) => ({ ...setting, ...given.get(setting.name) })), ...more].filter(({ name }) =>
    majorHasSetting(name, major),
  );
}

function stressOf(input: PlanInput, given: Given, fit: Fit, settings: PlannedSetting[]): number {
  const { bytes, hashMultiplier } = workMemOf(input, given, fit);
  return stressBytes({
    committedBytes: committedBytes(fit.shape),
    maxConnections: fit.shape.maxConnections,
    workMemBytes: givenBytes(given, 'work_mem') ?? bytes,
    hashMultiplier,
    parallelWorkers: givenNumber(given, 'max_parallel_workers') ?? numberIn(settings, 'max_parallel_workers'),
    maintenanceWorkMemBytes: fit.maintenanceWorkMemBytes,
  });
}

/** The server refuses to start when no slot is left for ordinary roles. */
function checkReserved({ settings, maxConnections }: Plan): void {
  const reserved = numberIn(settings, 'superuser_reserved_connections') + numberIn(settings, 'reserved_connections');
  if (reserved < maxConnections) return;
  throw new AppError('BAD_SETTING', `of ${maxConnections} connections ${reserved} are reserved, which leaves none`, {
    hint: `ask for more: --max-connections ${reserved + 10}`,
  });
}

function numberIn(settings: PlannedSetting[], name: string): number {
  return Number(settings.find((setting) => setting.name === name)?.value ?? 0);
}

function cautions({ host, template }: PlanInput, given: Given, plan: Plan): string[] {
  const cautions: string[] = [];
  if (plan.stressBytes > host.memoryBytes - plan.othersBytes) {
    cautions.push(
      `at a busy moment this instance may take ${humanBytes(plan.stressBytes)}, more than the ` +
        `${humanBytes(Math.max(0, host.memoryBytes - plan.othersBytes))} that the others leave: lower work_mem or max_connections`,
    );
  }
  const commit = given.get('synchronous_commit')?.value;
  if (template.durable && commit !== undefined && givesUpDurability('synchronous_commit', commit)) {
    cautions.push(
      'synchronous_commit is off: a crash may lose the last transactions that clients were told are committed',
    );
  }
  return cautions;
}

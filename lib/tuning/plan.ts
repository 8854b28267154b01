import { AppError } from '../errors.ts';
import { budgetOf, budgetWords, stressSum, stressWarning } from './budget.ts';
import { derive, workMemOf } from './derive.ts';
import { fitServer, type Fit } from './fit.ts';
import { collectGiven, givenBytes, givenNumber, type Given, type GivenSetting } from './given.ts';
import { givesUpDurability } from './guards.ts';
import { committedBytes, sharedMemoryBytes, stressBytes } from './memory.ts';
import { humanBytes } from './sizes.ts';
import type { Plan, PlanInput, PlannedSetting } from './types.ts';

export type { Neighbour, OwnSetting, Plan, PlanInput, PlannedSetting, Wishes } from './types.ts';

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
  const settings = merge(derive(input, given, fit), given);
  const plan: Plan = {
    settings,
    maxConnections: fit.shape.maxConnections,
    memoryBytes: fit.allowanceBytes,
    sharedMemoryBytes: Math.ceil(sharedMemoryBytes(fit.shape)),
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

/** The plan's figures with its shared memory as the server itself reports it. */
export function withSharedMemory(plan: Plan, sharedMemoryBytes: number): Plan {
  const more = sharedMemoryBytes - plan.sharedMemoryBytes;
  return {
    ...plan,
    sharedMemoryBytes,
    committedBytes: plan.committedBytes + more,
    stressBytes: plan.stressBytes + more,
  };
}

/** What was given takes the place of what was derived; the rest of it comes after. */
function merge(derived: PlannedSetting[], given: Given): PlannedSetting[] {
  const names = new Set(derived.map(({ name }) => name));
  // An operator's line about what the plan does not touch counts, and is nothing to show.
  const more = [...given]
    .filter(([name, { ownOnly }]) => !names.has(name) && ownOnly !== true)
    .map(([name, setting]) => ({ name, ...shown(setting) }));
  return [...derived.map((setting) => ({ ...setting, ...shown(given.get(setting.name) ?? setting) })), ...more];
}

function shown({ value, reason, ownPlace }: Omit<PlannedSetting, 'name'> | GivenSetting): Omit<PlannedSetting, 'name'> {
  return { value, reason, ...(ownPlace !== undefined && { ownPlace }) };
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

const receiverNeeds: [name: string, least: number][] = [
  ['max_wal_senders', 3],
  ['max_replication_slots', 2],
];

function cautions(input: PlanInput, given: Given, plan: Plan): string[] {
  const { host, template } = input;
  const cautions: string[] = [];
  const sumBytes = plan.committedBytes + plan.othersBytes;
  if (sumBytes > plan.budgetBytes) {
    const sum = `all instances of this host commit ${humanBytes(sumBytes)} with this one`;
    const limit = `the budget is ${humanBytes(plan.budgetBytes)} (${budgetWords(budgetOf(input))})`;
    cautions.push(`--overcommit: ${sum}, and ${limit}`);
  }
  const stressBytes = plan.stressBytes + stressSum(input.others);
  if (stressBytes > host.memoryBytes) cautions.push(stressWarning(stressBytes, host.memoryBytes));
  if (input.streaming === true) {
    for (const [name, least] of receiverNeeds) {
      const number = givenNumber(given, name) ?? 10; // the server's default of both
      if (number < least) cautions.push(`${name} is ${number}: the receiver and a backup together need ${least}`);
    }
  }
  const commit = given.get('synchronous_commit')?.value;
  if (template.durable && commit !== undefined && givesUpDurability('synchronous_commit', commit)) {
    cautions.push(
      'synchronous_commit is off: a crash may lose the last transactions that clients were told are committed',
    );
  }
  return cautions;
}

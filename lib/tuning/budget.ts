import { AppError } from '../errors.ts';
import { humanBytes, MB } from './sizes.ts';
import type { HostFacts, Neighbour, PlanInput } from './types.ts';

export interface Budget {
  /** The memory of the host, or of the control group we live in. */
  limitBytes: number;
  share: number;
  budgetBytes: number;
  othersBytes: number;
  /** What the others leave; negative when they hold more than there is. */
  leftBytes: number;
}

export function budgetOf({
  host,
  others,
  budgetShare: share,
}: Pick<PlanInput, 'host' | 'others' | 'budgetShare'>): Budget {
  const limitBytes = host.memoryBytes;
  const budgetBytes = Math.floor(limitBytes * share);
  const othersBytes = others.reduce((sum, { committedBytes }) => sum + committedBytes, 0);
  return { limitBytes, share, budgetBytes, othersBytes, leftBytes: budgetBytes - othersBytes };
}

/**
 * What this instance may commit, in bytes: the template's share of the host (or --memory), as far as the others leave it,
 * and never less than the template's least, or a server's. With --overcommit, what the others leave is no limit.
 * @throws MEMORY_BUDGET when not even that is left, or not what was asked for
 */
export function allowanceOf(input: PlanInput, serverBytes: number, warnings: string[]): number {
  const { template, overcommit, wishes } = input;
  const budget = budgetOf(input);
  const wanted = wantedBytes(input);
  const asked = wishes.memoryBytes !== undefined;
  const leastBytes = asked ? serverBytes : Math.max(serverBytes, template.least ?? 0);
  const refuses = (neededBytes: number): boolean => neededBytes > budget.leftBytes && !overcommit;
  const whose = leastBytes > serverBytes ? `template ${template.name} needs` : 'a server needs';
  if (refuses(leastBytes)) throw noRoom(input, budget, { neededBytes: leastBytes, serverBytes }, `the least ${whose}`);
  if (asked && refuses(wanted))
    throw noRoom(input, budget, { neededBytes: wanted, serverBytes }, 'what --memory asks for');
  const source = asked ? '--memory' : `template ${template.name}`;
  if (wanted < leastBytes) {
    warnings.push(`${source}: ${humanBytes(wanted)} are too little; it may commit ${humanBytes(leastBytes)}`);
    return leastBytes;
  }
  if (!refuses(wanted)) return wanted;
  warnings.push(
    `${source} would take ${humanBytes(wanted)}, but of this host's budget only ${humanBytes(budget.leftBytes)} are left`,
  );
  return budget.leftBytes;
}

function wantedBytes({ host, template, wishes }: PlanInput): number {
  const { memory } = template;
  return Math.floor(wishes.memoryBytes ?? ('bytes' in memory ? memory.bytes : memory.share * host.memoryBytes));
}

/** @param serverBytes with which a server could do: where they are left, asking for less is the cheapest way out */
function noRoom(
  input: PlanInput,
  budget: Budget,
  { neededBytes, serverBytes }: { neededBytes: number; serverBytes: number },
  what: string,
): AppError {
  const { budgetBytes, othersBytes, leftBytes } = budget;
  const count = `${input.others.length} other instance${input.others.length === 1 ? '' : 's'}`;
  const sum =
    `the budget is ${humanBytes(budgetBytes)} (${budgetWords(budget)}), ` +
    `${count} have committed ${humanBytes(othersBytes)}, which leaves ${humanBytes(Math.max(0, leftBytes))}`;
  const fits = Math.floor(leftBytes / MB);
  const hint =
    leftBytes >= serverBytes
      ? `ask for what is left: --memory ${fits}MB`
      : wayOut(input.others, neededBytes - leftBytes);
  return new AppError('MEMORY_BUDGET', `${what} is ${humanBytes(neededBytes)}: ${sum}`, {
    hint,
    data: { neededBytes, budgetBytes, othersBytes },
  });
}

/** What the budget is a share of: `80 % of this host's 24 GB`. */
export function budgetWords({ share, limitBytes }: Pick<Budget, 'share' | 'limitBytes'>): string {
  return `${Math.round(share * 1000) / 10} % of this host's ${humanBytes(limitBytes)}`;
}

/**
 * Says no while all instances together, as they are configured, pass the budget.
 * @param command what to type, with --overcommit, to have it nevertheless
 * @throws MEMORY_BUDGET
 */
export function assertWithinBudget(
  { host, budgetShare, instances }: { host: HostFacts; budgetShare: number; instances: readonly Neighbour[] },
  command: string,
): void {
  const budget = budgetOf({ host, budgetShare, others: instances });
  if (budget.leftBytes >= 0) return;
  const all = `${instances.length} instance${instances.length === 1 ? '' : 's'} of this host commit`;
  throw new AppError(
    'MEMORY_BUDGET',
    `${all} ${humanBytes(budget.othersBytes)} as configured, ` +
      `and the budget is ${humanBytes(budget.budgetBytes)} (${budgetWords(budget)})`,
    {
      hint: `${wayOut(instances, -budget.leftBytes)} — or take the risk: ${command} --overcommit`,
      data: { committedBytes: budget.othersBytes, budgetBytes: budget.budgetBytes },
    },
  );
}

/** The smallest instance whose memory would do, or else the largest. */
function wayOut(others: readonly Neighbour[], missingBytes: number): string {
  const bySize = others.toSorted((a, b) => a.committedBytes - b.committedBytes);
  const enough = bySize.find(({ committedBytes }) => committedBytes >= missingBytes) ?? bySize.at(-1);
  if (enough === undefined) return 'give this host (or the container we run in) more memory';
  return (
    `${humanBytes(missingBytes)} are missing; ${enough.name} holds ${humanBytes(enough.committedBytes)}: ` +
    `give it less (./manage.ts tune ${enough.name} --memory SIZE --apply), or destroy it if nobody needs it`
  );
}

/** What instances may take when all are busy at once. */
export function stressSum(instances: readonly Neighbour[]): number {
  return instances.reduce((sum, { stressBytes, committedBytes }) => sum + (stressBytes ?? committedBytes), 0);
}

export function stressWarning(stressBytes: number, limitBytes: number): string {
  return (
    `at a busy moment the instances of this host may take ${humanBytes(stressBytes)}, more than its ` +
    `${humanBytes(limitBytes)}: lower work_mem or max_connections of the largest (--action budget shows them)`
  );
}

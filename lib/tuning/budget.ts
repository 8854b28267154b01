import { AppError } from '../errors.ts';
import { humanBytes, MB } from './sizes.ts';
import type { Neighbour, PlanInput } from './types.ts';

/** What all instances may commit, of the host's memory; the rest is for queries, page cache and everything else. */
const budgetShare = 0.8;

export interface Budget {
  budgetBytes: number;
  othersBytes: number;
  /** What the others leave; negative when they hold more than there is. */
  leftBytes: number;
}

export function budgetOf({ host, others }: PlanInput): Budget {
  const budgetBytes = Math.floor(host.memoryBytes * budgetShare);
  const othersBytes = others.reduce((sum, { committedBytes }) => sum + committedBytes, 0);
  return { budgetBytes, othersBytes, leftBytes: budgetBytes - othersBytes };
}

/**
 * What this instance may commit, in bytes: the template's share of the host (or --memory), as far as the others leave it,
 * and never less than a server needs to start.
 * @throws MEMORY_BUDGET when not even that is left, or not what was asked for
 */
export function allowanceOf(input: PlanInput, leastBytes: number, warnings: string[]): number {
  const budget = budgetOf(input);
  const wanted = wantedBytes(input);
  const asked = input.wishes.memoryBytes !== undefined;
  if (leastBytes > budget.leftBytes) throw noRoom(input, budget, leastBytes, 'the least a server needs');
  if (asked && wanted > budget.leftBytes) throw noRoom(input, budget, wanted, 'what --memory asks for');
  const source = asked ? '--memory' : `template ${input.template.name}`;
  if (wanted < leastBytes) {
    warnings.push(
      `${source}: ${humanBytes(wanted)} would not let the server start; it may commit ${humanBytes(leastBytes)}`,
    );
    return leastBytes;
  }
  if (wanted <= budget.leftBytes) return wanted;
  warnings.push(
    `${source} would take ${humanBytes(wanted)}, but of this host's budget only ${humanBytes(budget.leftBytes)} are left`,
  );
  return budget.leftBytes;
}

function wantedBytes({ host, template, wishes }: PlanInput): number {
  const { memory } = template;
  return Math.floor(wishes.memoryBytes ?? ('bytes' in memory ? memory.bytes : memory.share * host.memoryBytes));
}

function noRoom(input: PlanInput, budget: Budget, neededBytes: number, what: string): AppError {
  const { budgetBytes, othersBytes, leftBytes } = budget;
  const count = `${input.others.length} other instance${input.others.length === 1 ? '' : 's'}`;
  const sum =
    `the budget is ${humanBytes(budgetBytes)} (80 % of this host's ${humanBytes(input.host.memoryBytes)}), ` +
    `${count} have committed ${humanBytes(othersBytes)}, which leaves ${humanBytes(Math.max(0, leftBytes))}`;
  const fits = Math.floor(leftBytes / MB);
  const hint =
    input.wishes.memoryBytes !== undefined && leftBytes > neededBytes / 4
      ? `ask for what is left: --memory ${fits}MB`
      : wayOut(input.others, neededBytes - leftBytes);
  return new AppError('MEMORY_BUDGET', `${what} is ${humanBytes(neededBytes)}: ${sum}`, {
    hint,
    data: { neededBytes, budgetBytes, othersBytes },
  });
}

/** The smallest instance whose memory would do, or else the largest. */
function wayOut(others: readonly Neighbour[], missingBytes: number): string {
  const bySize = others.toSorted((a, b) => a.committedBytes - b.committedBytes);
  const enough = bySize.find(({ committedBytes }) => committedBytes >= missingBytes) ?? bySize.at(-1);
  if (enough === undefined) return 'give this host (or the container we run in) more memory';
  return (
    `${humanBytes(missingBytes)} are missing; ${enough.name} holds ${humanBytes(enough.committedBytes)}: ` +
    'give it less memory or fewer connections, or destroy it if nobody needs it'
  );
}

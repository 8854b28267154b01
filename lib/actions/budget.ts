import { type Claim, claimsOf } from '../instances/memory.ts';
import { Leases } from '../ports/leases.ts';
import { type Budget, budgetOf, budgetWords } from '../tuning/budget.ts';
import { renderBar } from '../tuning/chart.ts';
import { readHostFacts } from '../tuning/host.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { hostAction, type Text } from './action.ts';

export const budget = hostAction({
  name: 'budget',
  summary: "this host's memory, and who may take how much of it",
  details:
    'Of all users and roots of this host, running or not, as they are configured. Committed is what an instance takes before any query runs (its shared memory, its connections, autovacuum); stress what it may take at a busy moment. What all may commit is 80 % of the memory, or as PG_MANAGE_BUDGET or /etc/pg-manage.yaml (budget: 70%) say.',
  examples: [
    ['./manage.ts --action budget', 'as a table with bars'],
    ["./manage.ts budget --json | jq '.data.leftBytes'", 'for scripts'],
  ],
  options: {},
  target: 'none',
  lock: 'none',
  changes: false,
  async run({ places, budgetShare }) {
    const claims = claimsOf(places, new Leases(places.host));
    const spent = budgetOf({ host: readHostFacts(), others: claims, budgetShare });
    const { limitBytes, budgetBytes, othersBytes: committedBytes, leftBytes } = spent;
    const stressBytes = claims.reduce((sum, claim) => sum + stressOf(claim), 0);
    const instances = claims.map((claim) => ({ ...claim, stressBytes: claim.stressBytes ?? null }));
    return {
      data: { limitBytes, budgetShare, budgetBytes, committedBytes, stressBytes, leftBytes, instances },
      text: [
        { fields: summary(spent, claims, stressBytes) },
        { line: '' },
        chart(claims, spent, stressBytes),
        ...legend(spent, claims, stressBytes),
      ],
    };
  },
});

function stressOf({ stressBytes, committedBytes }: Claim): number {
  return stressBytes ?? committedBytes;
}

function summary(spent: Budget, claims: readonly Claim[], stressBytes: number): [string, string][] {
  const { limitBytes, budgetBytes, othersBytes, leftBytes } = spent;
  const over = leftBytes < 0 ? ` — ${humanBytes(-leftBytes)} too much` : '';
  return [
    ['limit', `${humanBytes(limitBytes)}, the memory of this host or of the control group we live in`],
    ['budget', `${humanBytes(budgetBytes)}, ${budgetWords(spent)}`],
    ['committed', `${humanBytes(othersBytes)} by ${claims.length} instance${claims.length === 1 ? '' : 's'}${over}`],
    ['left', humanBytes(Math.max(0, leftBytes))],
    ['stress', `${humanBytes(stressBytes)} when all are busy at once`],
  ];
}

/** What is left of 80 columns beside names and two sizes, and never so little that nothing can be seen. */
function barWidth(claims: readonly Claim[]): number {
  const names = Math.max(8, ...claims.map(({ name, overcommit }) => name.length + (overcommit ? ' (!)'.length : 0)));
  return Math.max(10, 80 - names - 2 * '1023.9 MB'.length - 3 * 2);
}

function chart(claims: readonly Claim[], { limitBytes, othersBytes }: Budget, stressBytes: number): Text {
  const width = barWidth(claims);
  const row = (name: string, committed: number, stress: number): string[] => {
    const bar = renderBar({ committedBytes: committed, stressBytes: stress }, limitBytes, width);
    return [name, humanBytes(committed), humanBytes(stress), bar];
  };
  const named = claims.map((claim) => {
    const name = claim.overcommit ? `${claim.name} (!)` : claim.name;
    return row(name, claim.committedBytes, stressOf(claim));
  });
  return {
    head: ['instance', 'committed', 'stress', 'of the limit'],
    rows: [...named, row('all', othersBytes, stressBytes)],
  };
}

function legend({ limitBytes, leftBytes }: Budget, claims: readonly Claim[], stressBytes: number): Text[] {
  return [
    { line: '' },
    { line: '█ committed  ░ more under stress  · free' },
    ...(claims.some(({ overcommit }) => overcommit) ? [{ line: '(!) may pass the budget: --overcommit' }] : []),
    ...(leftBytes < 0
      ? [{ line: 'over the budget: give an instance less (./manage.ts tune NAME --memory SIZE --apply)' }]
      : []),
    ...(stressBytes > limitBytes ? [{ line: 'when all are busy at once, they may take more than there is' }] : []),
  ];
}

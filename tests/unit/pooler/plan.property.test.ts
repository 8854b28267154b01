import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { planPooler, type PoolerFacts, type PoolerPlan, type PoolerWishes } from '../../../lib/pooler/plan.ts';

const facts = fc.record<PoolerFacts>({
  maxConnections: fc.integer({ min: 1, max: 2000 }),
  reserved: fc.integer({ min: 0, max: 50 }),
  databases: fc.uniqueArray(fc.stringMatching(/^[a-z0-9_]{1,12}$/), { minLength: 1, maxLength: 40 }),
  version: fc.constantFrom('1.12.0', '1.18.0', '1.20.1', '1.21.0', '1.24.1', '1.25.2', '2.0'),
  openFiles: fc.constantFrom(256, 1024, 20_000, 1_048_576),
});

const wishes = fc.record<PoolerWishes>({
  mode: fc.constantFrom(undefined, 'session', 'transaction'),
  poolSize: fc.oneof(fc.constant(undefined), fc.integer({ min: 1, max: 2000 })),
});

/** What came of it: a plan, or the code of the refusal. */
function planned(...given: Parameters<typeof planPooler>): PoolerPlan | string {
  try {
    return planPooler(...given);
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('the plan of a pooler', () => {
  it('never takes more than reserved slots and direct connections leave, over all databases', () => {
    fc.assert(
      fc.property(facts, wishes, (given, wanted) => {
        const plan = planned(given, wanted);
        if (typeof plan === 'string') return expect(plan).toBe('POOLER_BUDGET');
        const sum = plan.pools.reduce((total, { limit }) => total + limit, 0);
        expect(sum).toBe(plan.serverConnections);
        expect(plan.directConnections).toBeGreaterThanOrEqual(2);
        expect(sum + given.reserved + plan.directConnections).toBe(given.maxConnections);
        for (const { poolSize, limit } of plan.pools) {
          expect(poolSize).toBeGreaterThanOrEqual(1);
          expect(limit).toBeGreaterThan(poolSize); // the lookup of secrets has a connection of its own
        }
        expect(plan.pools.map(({ database }) => database)).toEqual(
          given.databases.filter((name) => name !== 'pgbouncer'),
        );
      }),
    );
  });

  it('gives exactly what was wished for, or refuses', () => {
    fc.assert(
      fc.property(facts, wishes, (given, wanted) => {
        const plan = planned(given, wanted);
        if (typeof plan === 'string') return;
        if (wanted.poolSize !== undefined) for (const pool of plan.pools) expect(pool.poolSize).toBe(wanted.poolSize);
        if (wanted.mode !== undefined) expect(plan.mode).toBe(wanted.mode);
      }),
    );
  });

  it('more connections never make smaller pools, and never a refusal of what fitted', () => {
    fc.assert(
      fc.property(facts, fc.integer({ min: 0, max: 500 }), (given, more) => {
        const before = planned(given, {});
        const after = planned({ ...given, maxConnections: given.maxConnections + more }, {});
        if (typeof before === 'string') return;
        if (typeof after === 'string') throw new Error(`refused with ${more} more: ${after}`);
        expect(after.pools[0]?.poolSize).toBeGreaterThanOrEqual(before.pools[0]?.poolSize ?? 0);
      }),
    );
  });
});

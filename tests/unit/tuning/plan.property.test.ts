import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '../../../lib/errors.ts';
import { majorHasSetting } from '../../../lib/tuning/names.ts';
import { planInstance, type Neighbour, type Plan, type PlanInput } from '../../../lib/tuning/plan.ts';
import { bytes, GB, MB, parseSize } from '../../../lib/tuning/sizes.ts';
import { loadTemplate, templateNames } from '../../../lib/tuning/templates.ts';

const templates = templateNames().map(loadTemplate);
const majors = [13, 14, 15, 16, 17, 18];

const usual = { budgetShare: 0.8, overcommit: false };

const anyMemory = fc
  .oneof(fc.integer({ min: 256 * MB, max: 8 * GB }), fc.integer({ min: 256 * MB, max: 512 * GB }))
  .map(bytes);

const anyWishes = fc.record(
  {
    maxConnections: fc.integer({ min: 10, max: 400 }),
    memoryBytes: fc.integer({ min: 64 * MB, max: 8 * GB }),
    settings: fc.dictionary(
      fc.constantFrom('shared_buffers', 'autovacuum_work_mem', 'maintenance_work_mem', 'wal_buffers', 'work_mem'),
      fc.integer({ min: 8, max: 2000 }).map((size) => `${size}MB`),
    ),
  },
  { requiredKeys: [] },
);

const anyInput: fc.Arbitrary<PlanInput> = fc.record({
  host: fc.record({ memoryBytes: anyMemory, cores: fc.integer({ min: 1, max: 64 }) }),
  template: fc.constantFrom(...templates),
  major: fc.constantFrom(...majors),
  others: fc.array(fc.record({ name: fc.constant('o'), committedBytes: fc.integer({ min: 0, max: 2 * GB }) }), {
    maxLength: 8,
  }),
  wishes: anyWishes,
  budgetShare: fc.constantFrom(0.5, 0.8, 1),
  overcommit: fc.constant(false),
});

/** The plan, or undefined where the budget refuses. */
function planOrRefuse(input: PlanInput): Plan | undefined {
  try {
    return planInstance(input);
  } catch (error) {
    if (error instanceof AppError && error.code === 'MEMORY_BUDGET') return undefined;
    throw error;
  }
}

function sharedBuffers(plan: Plan): number {
  return parseSize(plan.settings.find(({ name }) => name === 'shared_buffers')?.value ?? '');
}

describe('every plan', () => {
  it('commits no more than it may, and no more than the budget', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const plan = planOrRefuse(input);
        if (plan === undefined) return;
        expect(plan.committedBytes).toBeLessThanOrEqual(plan.memoryBytes);
        expect(plan.committedBytes + plan.othersBytes).toBeLessThanOrEqual(plan.budgetBytes);
        expect(plan.stressBytes).toBeGreaterThan(plan.committedBytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('names only settings of its version, once each, with a reason of one line', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const settings = planOrRefuse(input)?.settings ?? [];
        expect(settings.filter(({ name }) => !majorHasSetting(name, input.major))).toEqual([]);
        expect(new Set(settings.map(({ name }) => name)).size).toBe(settings.length);
        expect(settings.filter(({ reason }) => reason === '' || reason.includes('\n'))).toEqual([]);
        expect(settings.filter(({ value }) => /NaN|Infinity|undefined|-\d/.test(value))).toEqual([]);
      }),
    );
  });

  it('keeps the connections that were asked for, and never less than 16 MB of buffers unasked', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const plan = planOrRefuse(input);
        if (plan === undefined) return;
        if (input.wishes.maxConnections !== undefined) expect(plan.maxConnections).toBe(input.wishes.maxConnections);
        if (input.wishes.settings?.shared_buffers === undefined)
          expect(sharedBuffers(plan)).toBeGreaterThanOrEqual(16 * MB);
      }),
    );
  });
});

it('more memory never gives less shared_buffers, nor fewer connections', () => {
  const step = fc.oneof(fc.integer({ min: 1, max: 64 * MB }), fc.integer({ min: 1, max: 64 * GB }));
  fc.assert(
    fc.property(anyInput, step, (input, more) => {
      const before = planOrRefuse(input);
      const host = { ...input.host, memoryBytes: bytes(input.host.memoryBytes + more) };
      const after = planOrRefuse({ ...input, host });
      if (before === undefined) return;
      expect(after).toBeDefined();
      if (after === undefined) return;
      expect(sharedBuffers(after)).toBeGreaterThanOrEqual(sharedBuffers(before));
      expect(after.maxConnections).toBeGreaterThanOrEqual(before.maxConnections);
    }),
    { numRuns: 3000 },
  );
});

it('the same on small hosts, where connections are lowered one by one', () => {
  const small = fc.integer({ min: 512 * MB, max: 6 * GB });
  fc.assert(
    fc.property(fc.constantFrom(...templates), small, fc.integer({ min: 1, max: 100 * MB }), (template, size, more) => {
      const at = (memoryBytes: number) =>
        planInstance({
          host: { memoryBytes: bytes(memoryBytes), cores: 2 },
          template,
          major: 15,
          others: [],
          wishes: {},
          ...usual,
        });
      expect(sharedBuffers(at(size + more))).toBeGreaterThanOrEqual(sharedBuffers(at(size)));
    }),
    { numRuns: 2000 },
  );
});

it('the same for --memory', () => {
  const allowance = fc.integer({ min: 64 * MB, max: 2 * GB });
  const host = { memoryBytes: bytes(64 * GB), cores: 4 };
  fc.assert(
    fc.property(anyInput, allowance, fc.integer({ min: 1, max: 200 * MB }), (input, memoryBytes, more) => {
      const at = (size: number) =>
        planOrRefuse({ ...input, host, others: [], wishes: { ...input.wishes, memoryBytes: size } });
      const [before, after] = [at(memoryBytes), at(memoryBytes + more)];
      if (before === undefined) return;
      expect(after && sharedBuffers(after)).toBeGreaterThanOrEqual(sharedBuffers(before));
    }),
    { numRuns: 3000 },
  );
});

it('instances planned one after another never commit more than the host’s budget', () => {
  const sequence = fc.array(
    fc.record({ template: fc.constantFrom(...templates), major: fc.constantFrom(...majors), wishes: anyWishes }),
    {
      minLength: 5,
      maxLength: 40,
    },
  );
  fc.assert(
    fc.property(anyMemory, fc.integer({ min: 1, max: 16 }), sequence, (memoryBytes, cores, wanted) => {
      const others: Neighbour[] = [];
      for (const [index, one] of wanted.entries()) {
        const plan = planOrRefuse({ ...one, host: { memoryBytes, cores }, others, ...usual });
        if (plan !== undefined) others.push({ name: `i${index}`, committedBytes: plan.committedBytes });
      }
      const sum = others.reduce((total, { committedBytes }) => total + committedBytes, 0);
      expect(sum).toBeLessThanOrEqual(memoryBytes * 0.8);
    }),
  );
});

it('ten of every template fit on a host of 24 GB', () => {
  for (const template of templates) {
    const others: Neighbour[] = [];
    for (let index = 0; index < 10; index++) {
      const plan = planInstance({
        host: { memoryBytes: bytes(24 * GB), cores: 2 },
        template,
        major: 18,
        others,
        wishes: {},
        ...usual,
      });
      expect(plan.maxConnections).toBe(template.connections);
      others.push({ name: `i${index}`, committedBytes: plan.committedBytes });
    }
  }
});

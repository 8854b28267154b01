import { describe, expect, it } from '@jest/globals';
import { allowanceOf, assertWithinBudget, budgetOf, stressSum } from '../../../lib/tuning/budget.ts';
import type { PlanInput } from '../../../lib/tuning/plan.ts';
import { bytes, GB, MB } from '../../../lib/tuning/sizes.ts';
import { loadTemplate } from '../../../lib/tuning/templates.ts';

const host = { memoryBytes: bytes(10 * GB), cores: 2 };
const of = (name: string, committedBytes: number) => ({ name, committedBytes });

/** Production takes 8 % of 10 GB, and refuses less than 150 MB; the budget is 8 GB. */
function input(more: Partial<PlanInput> = {}): PlanInput {
  const base = { host, others: [], wishes: {}, budgetShare: 0.8, overcommit: false, major: 15 };
  return { ...base, template: loadTemplate('production'), ...more };
}

/** What it may commit beside the others with a server that needs 100 MB, and what it is warned of. */
function allowed(more: Partial<PlanInput> = {}): [bytes: number, warnings: string[]] {
  const warnings: string[] = [];
  return [allowanceOf(input(more), 100 * MB, warnings), warnings];
}

function refusal(code: string, message: string, hint: string, data: object) {
  const text = (part: string) => expect.stringContaining(part);
  return expect.objectContaining({ code, message: text(message), hint: text(hint), data });
}

const taken = (leftBytes: number) => ({ others: [of('a', 1 * GB), of('b', 7 * GB - leftBytes)] });

describe('the budget', () => {
  it('is a share of the host, less what all others commit', () => {
    expect(budgetOf(input({ others: [of('a', GB), of('b', 8 * GB)] }))).toEqual({
      limitBytes: 10 * GB,
      share: 0.8,
      budgetBytes: 8 * GB,
      othersBytes: 9 * GB,
      leftBytes: -1 * GB,
    });
    expect(budgetOf(input({ budgetShare: 1 / 3 })).budgetBytes).toBe(Math.floor((10 * GB) / 3));
  });
});

describe('what an instance may commit', () => {
  it("is the template's share, or what is left of it", () => {
    expect(allowed()).toEqual([Math.floor(0.08 * 10 * GB), []]);
    expect(allowed(taken(Math.floor(0.08 * 10 * GB)))[1]).toEqual([]);
    expect(allowed(taken(200 * MB))).toEqual([
      200 * MB,
      ["template production would take 819.2 MB, but of this host's budget only 200 MB are left"],
    ]);
  });

  it('is what --memory says, all of it or nothing', () => {
    expect(allowed({ wishes: { memoryBytes: 2 * GB } })).toEqual([2 * GB, []]);
    expect(allowed({ ...taken(2 * GB), wishes: { memoryBytes: 2 * GB } })).toEqual([2 * GB, []]);
    expect(() => allowed({ ...taken(2 * GB - MB), wishes: { memoryBytes: 2 * GB } })).toThrow(
      refusal('MEMORY_BUDGET', 'what --memory asks for is 2 GB: the budget is 8 GB', '--memory 2047MB', {
        neededBytes: 2 * GB,
        budgetBytes: 8 * GB,
        othersBytes: 6 * GB + MB,
      }),
    );
  });

  it('is never less than the template or a server needs', () => {
    const tiny = { host: { ...host, memoryBytes: bytes(1 * GB) } };
    expect(allowed(tiny)).toEqual([150 * MB, ['template production: 81.9 MB are too little; it may commit 150 MB']]);
    expect(allowed({ wishes: { memoryBytes: 99 * MB } })).toEqual([
      100 * MB,
      ['--memory: 99 MB are too little; it may commit 100 MB'],
    ]);
    expect(allowed({ wishes: { memoryBytes: 100 * MB } })).toEqual([100 * MB, []]);
  });

  it('is refused where less than that is left, with the sum and the cheapest way out', () => {
    expect(allowed(taken(150 * MB))[0]).toBe(150 * MB);
    expect(() => allowed(taken(149 * MB))).toThrow(
      refusal(
        'MEMORY_BUDGET',
        "the least template production needs is 150 MB: the budget is 8 GB (80 % of this host's 10 GB), " +
          '2 other instances have committed 7.9 GB, which leaves 149 MB',
        'ask for what is left: --memory 149MB',
        { neededBytes: 150 * MB, budgetBytes: 8 * GB, othersBytes: 8 * GB - 149 * MB },
      ),
    );
    expect(() => allowed({ ...taken(100 * MB) })).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/100MB$/) }),
    );
    expect(() => allowed(taken(99 * MB))).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('a holds 1 GB') }),
    );
    const one = { others: [of('a', 9 * GB)] };
    expect(() => allowed(one)).toThrow(
      refusal(
        'MEMORY_BUDGET',
        '1 other instance have committed 9 GB, which leaves 0 B',
        'a holds 9 GB',
        expect.anything() as never,
      ),
    );
    expect(() => allowed({ ...one, wishes: { memoryBytes: GB } })).toThrow(
      expect.objectContaining({ message: expect.stringContaining('the least a server needs is 100 MB') }),
    );
  });

  it('has no limit with --overcommit', () => {
    const over = { ...taken(0), overcommit: true };
    expect(allowed(over)).toEqual([Math.floor(0.08 * 10 * GB), []]);
    expect(allowed({ ...over, wishes: { memoryBytes: 2 * GB } })).toEqual([2 * GB, []]);
  });
});

describe('all instances of a host', () => {
  const check = (...instances: PlanInput['others']) =>
    assertWithinBudget({ host, budgetShare: 0.8, instances }, './manage.ts start client-a');

  it('may commit the whole budget, and no more', () => {
    expect(() => check(of('a', 8 * GB))).not.toThrow();
    expect(() => check(of('a', 8 * GB + MB))).toThrow(
      refusal(
        'MEMORY_BUDGET',
        "1 instance of this host commit 8 GB as configured, and the budget is 8 GB (80 % of this host's 10 GB)",
        '1 MB are missing; a holds 8 GB: give it less (./manage.ts tune a --memory SIZE --apply)',
        { committedBytes: 8 * GB + MB, budgetBytes: 8 * GB },
      ),
    );
  });

  it('are named: the smallest whose memory would do, or the largest', () => {
    const hint = (text: string) => expect.objectContaining({ hint: expect.stringContaining(text) });
    const three = [of('large', 5 * GB), of('small', 1 * GB), of('middle', 3 * GB)];
    expect(() => check(...three)).toThrow(hint('1 GB are missing; small holds 1 GB'));
    expect(() => check(...three, of('more', 1 * GB))).toThrow(hint('2 GB are missing; middle holds 3 GB'));
    expect(() => check(...three, of('huge', 20 * GB))).toThrow(hint('21 GB are missing; huge holds 20 GB'));
    expect(() => check(...three)).toThrow(hint('or take the risk: ./manage.ts start client-a --overcommit'));
    expect(() => check(...three)).toThrow(
      expect.objectContaining({ message: expect.stringContaining('3 instances of') }),
    );
    expect(() => assertWithinBudget({ host, budgetShare: -1, instances: [] }, 'x')).toThrow(hint('more memory'));
  });

  it('take at a busy moment what each may, or what it commits where that is not known', () => {
    expect(stressSum([{ ...of('a', 1), stressBytes: 10 }, of('b', 100)])).toBe(110);
    expect(stressSum([])).toBe(0);
  });
});

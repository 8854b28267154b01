import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../lib/errors.ts';
import type { InstanceName } from '../../lib/instances/names.ts';
import { planWaves, rollOut } from '../../lib/rollout.ts';

const names = ['a', 'b', 'c', 'd', 'e', 'f'] as InstanceName[];
const [, b] = names as [InstanceName, InstanceName];

/** Rolls out over six with `b` as the canary, and says in which order each began and ended. */
async function go(jobs: number, failing: string[], stopOnFailure = true) {
  const order: string[] = [];
  const attempt = async (name: InstanceName): Promise<{ instance: string; error?: AppError }> => {
    order.push(`+${name}`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`-${name}`);
    if (!failing.includes(name)) return { instance: name };
    return { instance: name, error: new AppError('MIGRATION_FAILED', 'no') };
  };
  const plan = { data: {}, text: [] };
  const results = await rollOut(names, { canary: b, stopOnFailure, plan }, jobs, attempt);
  return { order: order.join(''), results: results.map(({ instance, error }) => [instance, error?.code ?? 'ok']) };
}

describe('planWaves', () => {
  it('has the canary alone, and the others in their order', () => {
    expect(planWaves(names, b, 2)).toEqual([['b'], ['a', 'c'], ['d', 'e'], ['f']]);
    expect(planWaves(names, b, 100)).toEqual([['b'], ['a', 'c', 'd', 'e', 'f']]);
    expect(planWaves([b], b, 4)).toEqual([['b']]);
  });
});

describe('rollOut', () => {
  it('begins a wave when the one before it has ended as a whole, and tells results in the order of the names', async () => {
    const { order, results } = await go(2, []);
    expect(order).toBe('+b-b+a+c-a-c+d+e-d-e+f-f');
    expect(results).toEqual(names.map((name) => [name, 'ok']));
  });

  it('holds all others back when the canary fails', async () => {
    const { order, results } = await go(2, ['b']);
    expect(order).toBe('+b-b');
    expect(results).toEqual(names.map((name) => [name, name === 'b' ? 'MIGRATION_FAILED' : 'HELD_BACK']));
  });

  it('ends the wave in which one fails, and begins no other', async () => {
    const { order, results } = await go(2, ['c']);
    expect(order).toBe('+b-b+a+c-a-c');
    expect(Object.fromEntries(results)).toMatchObject({
      a: 'ok',
      c: 'MIGRATION_FAILED',
      d: 'HELD_BACK',
      f: 'HELD_BACK',
    });
  });

  it('says of what was held back after whom, and that the same command goes on', async () => {
    const told = async (failing: string): Promise<unknown> => {
      const attempt = async (name: InstanceName) =>
        await Promise.resolve(name === failing ? failed(name) : { instance: name });
      const plan = { data: {}, text: [] };
      return (await rollOut(names, { canary: b, stopOnFailure: true, plan }, 1, attempt)).at(-1);
    };
    const failed = (instance: string) => ({ instance, error: new AppError('MIGRATION_FAILED', 'no') });
    const held = (message: string) => ({
      instance: 'f',
      error: expect.objectContaining({ message, hint: expect.stringContaining('same command again') }),
      warnings: [],
    });
    expect(await told('b')).toEqual(held('not begun, as b, the canary, failed before'));
    expect(await told('a')).toEqual(held('not begun, as a failed before'));
  });

  it('goes on after failures where that is wished, the canary among them', async () => {
    const { results } = await go(2, ['b', 'd'], false);
    expect(results.filter(([, code]) => code === 'ok')).toHaveLength(4);
  });
});

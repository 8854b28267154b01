import { describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { type Address, query } from '../helpers/database.ts';
import { expectInvariants } from '../helpers/invariants.ts';
import {
  destroyIfThere,
  ensureShopRuns,
  expectKept,
  makeShop,
  sandbox,
  state,
  sweep,
  useSandboxes,
} from '../helpers/sweep.ts';
import { describeWithPrograms } from '../helpers/without-program.ts';

useSandboxes();

describe('kill -9 at every step of the journal', () => {
  it('of a create with a pooler', async () => {
    const steps = await sweep({
      recoverAt: 'odd',
      prepare: async () => await destroyIfThere('shop'),
      command: () => ['create', 'shop', '--template', 'testing', '--port-range', sandbox.portRange, '--pooler'],
      intact: async () => expect(['running', undefined]).toContain(await state('shop')),
      done: expectPooled,
    });
    expect(steps).toBeGreaterThanOrEqual(5);
  });

  it('of giving a pooler, of moving it, and of taking it away', async () => {
    await makeShop();
    const range = ['--port-range', sandbox.portRange];
    const give = async () => void dataOf(await sandbox.manage(['pooler', 'shop', ...range, '--json']));
    const takeAway = async () => void dataOf(await sandbox.manage(['pooler', 'shop', '--off', '--json']));
    const given = await sweep({
      recoverAt: 'odd',
      prepare: takeAway,
      command: () => ['pooler', 'shop', ...range],
      intact: expectKept,
      done: expectPooled,
    });
    expect(given).toBeGreaterThanOrEqual(3);
    await sweep({
      recoverAt: 'even',
      prepare: give,
      command: () => ['pooler', 'shop', '--port', 'auto', ...range],
      intact: expectPooled,
      done: expectPooled,
    });
    await sweep({
      recoverAt: 'odd',
      prepare: give,
      command: () => ['pooler', 'shop', '--off'],
      intact: expectKept,
      done: async () => expect((await sandbox.manage(['connect', 'shop', '--via', 'pooler'])).code).toBe(1),
    });
  });

  it('of stop, restart and destroy with a pooler', async () => {
    for (const [index, action] of ['stop', 'restart', 'destroy'].entries()) {
      await sweep({
        recoverAt: index % 2 === 0 ? 'even' : 'odd',
        prepare: async () => {
          await ensureShopRuns();
          dataOf(await sandbox.manage(['pooler', 'shop', '--port-range', sandbox.portRange, '--json']));
        },
        command: () => [action, 'shop', ...(action === 'destroy' ? ['--yes'] : [])],
        intact: async () => {
          if ((await state('shop')) === 'running') await expectPooled();
        },
        done: async () => {
          const left = { stop: 'stopped', restart: 'running', destroy: undefined }[action];
          expect(await state('shop')).toBe(left);
          if (left === 'running') await expectPooled();
        },
      });
    }
  });
});

describeWithPrograms(async () => {
  await makeShop();
  const refused = await sandbox.manage(['tune', 'shop', '--archive', 'streaming', '--apply', '--json']);
  expect([refused.code, refused.json().error?.code]).toEqual([1, 'NO_PG_RECEIVEWAL']);
  await expectInvariants(sandbox);
  await expectKept();
})('kill -9 at every step of the journal', () => {
  it('of giving a receiver of WAL, and of taking it away, in turns', async () => {
    await makeShop();
    let way: 'command' | 'streaming' = 'command';
    const steps = await sweep({
      recoverAt: 'odd',
      prepare: async () => {
        await Promise.resolve();
        way = way === 'command' ? 'streaming' : 'command';
      },
      command: () => ['tune', 'shop', '--archive', way, '--apply'],
      intact: expectKept,
      done: async () => {
        const { archive, receiver } = dataOf(await sandbox.manage(['status', 'shop', '--json']));
        const state = way === 'streaming' ? expect.objectContaining({ state: 'streaming' }) : null;
        expect([archive.mode, receiver]).toEqual([way, state]);
        await expectKept();
      },
    });
    expect(steps).toBeGreaterThanOrEqual(5);
  });
});

/** A client's whole way through the pooler. */
async function expectPooled(): Promise<void> {
  const { url } = dataOf(await sandbox.manage(['connect', 'shop', '--via', 'pooler', '--json'])) as Address;
  expect(await query({ url } as Address, 'select 42 as answer')).toEqual([{ answer: 42 }]);
}

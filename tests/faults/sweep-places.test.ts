import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { query } from '../helpers/database.ts';
import { makeOwnCluster } from '../helpers/own-cluster.ts';
import { ensureShopRuns, expectKept, makeShop, sandbox, state, sweep, useSandboxes } from '../helpers/sweep.ts';

useSandboxes();

describe('kill -9 at every step of the journal', () => {
  it('of rename', async () => {
    await makeShop();
    const steps = await sweep({
      recoverAt: 'odd',
      prepare: async () => {
        if ((await state('store')) !== undefined) await sandbox.manage(['rename', 'store', '--to', 'shop', '--yes']);
        await ensureShopRuns();
      },
      command: () => ['rename', 'shop', '--to', 'store', '--yes'],
      intact: async () => await expectKept((await state('shop')) === undefined ? 'store' : 'shop'),
      done: async () => await expectKept('store'),
    });
    expect(steps).toBeGreaterThanOrEqual(6);
  });

  it('of move, there and back', async () => {
    const [home, other] = [join(sandbox.root, 'instances'), join(sandbox.folder, 'disk')];
    await makeShop();
    let to = home;
    const steps = await sweep({
      recoverAt: 'odd',
      prepare: async () => {
        to = to === home ? other : home;
        await ensureShopRuns();
      },
      command: () => ['move', 'shop', '--to', to, '--yes'],
      intact: expectKept,
      done: async () => {
        await expectKept();
        expect(realpathSync(join(home, 'shop', 'data'))).toBe(join(to, 'shop', 'data'));
        // No half copy is left on either side; the old data waits in a quarantine of its own.
        const left = [home, other].flatMap((folder) => (existsSync(folder) ? readdirSync(join(folder, 'shop')) : []));
        expect(left.filter((name) => name.startsWith('.') && name !== '.pg-manage')).toEqual([]);
      },
    });
    expect(steps).toBeGreaterThanOrEqual(7);
  });

  it('of adopt, and of release', async () => {
    const cluster = await makeOwnCluster(sandbox);
    const before = cluster.configuration();
    const kept = async () => expect(await query(cluster.app, 'select answer from kept')).toEqual([{ answer: 42 }]);
    const adopt = ['adopt', 'shop', '--data-dir', cluster.data, '--yes'];
    try {
      const adopted = await sweep({
        recoverAt: 'odd',
        prepare: async () => {
          if ((await state('shop')) !== undefined) await sandbox.manage(['release', 'shop', '--yes']);
          expect(cluster.configuration()).toEqual(before);
          await cluster.start();
        },
        command: () => adopt,
        // Its own server, which ran before, or ours.
        intact: async () => {
          await cluster.answers();
          await kept();
          if ((await state('shop')) === undefined) expect(cluster.configuration()).toEqual(before);
        },
        done: async () => {
          expect(await state('shop')).toBe('running');
          await kept();
        },
      });
      expect(adopted).toBeGreaterThanOrEqual(9);
      const released = await sweep({
        recoverAt: 'even',
        prepare: async () => {
          if ((await state('shop')) === undefined) expect((await sandbox.manage(adopt)).code).toBe(0);
        },
        command: () => ['release', 'shop', '--yes'],
        intact: async () => {
          if ((await state('shop')) !== undefined) await kept();
        },
        done: async () => {
          expect(await state('shop')).toBeUndefined();
          expect(cluster.configuration()).toEqual(before);
        },
      });
      expect(released).toBeGreaterThanOrEqual(6);
    } finally {
      await sandbox.manage(['release', 'shop', '--yes', '--quiet']);
      await cluster.stop();
    }
  });

  it('of destroy', async () => {
    const steps = await sweep({
      recoverAt: 'odd',
      prepare: async () => {
        if ((await state('shop')) === undefined) await makeShop();
      },
      command: () => ['destroy', 'shop', '--yes'],
      intact: async () => {
        if ((await state('shop')) !== undefined) await expectKept();
      },
      done: async () => expect(await state('shop')).toBeUndefined(),
    });
    expect(steps).toBeGreaterThanOrEqual(3);
  });

  it('of uninstall', async () => {
    const steps = await sweep({
      recoverAt: 'odd',
      prepare: async () => {
        if ((await state('shop')) === undefined) await makeShop();
      },
      command: () => ['uninstall', '--remove-data', '--yes'],
      intact: async () => {
        if ((await state('shop')) !== undefined) await expectKept();
      },
      done: async () => expect(await state('shop')).toBeUndefined(),
    });
    expect(steps).toBeGreaterThanOrEqual(4);
  });
});

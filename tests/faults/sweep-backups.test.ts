import { describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
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

useSandboxes();

async function backupIds(): Promise<string[]> {
  const { backups } = dataOf(await sandbox.manage(['list-backups', 'shop', '--json'])) as { backups: { id: string }[] };
  return backups.map(({ id }) => id);
}

async function expectRestorable(id: string): Promise<void> {
  const verify = ['verify-backup', 'shop', '--backup-name', id, '--level', 'quick'];
  expect((await sandbox.manage(verify)).code).toBe(0);
}

/** Every backup that is listed can be restored; those that are known to be are left out. */
async function expectBackupsRestorable(known = new Set<string>()): Promise<void> {
  for (const id of await backupIds()) {
    if (!known.has(id)) await expectRestorable(id);
    known.add(id);
  }
}

describe('kill -9 at every step of the journal', () => {
  it('of backup', async () => {
    await makeShop();
    const known = new Set<string>();
    const steps = await sweep({
      recoverAt: 'even',
      prepare: ensureShopRuns,
      command: () => ['backup', 'shop', '--level', 'quick'],
      intact: async () => {
        await expectKept();
        await expectBackupsRestorable(known);
      },
      done: expectKept,
    });
    expect(steps).toBeGreaterThanOrEqual(4);
    await expectBackupsRestorable();
  });

  it('of restore in place', async () => {
    await makeShop();
    expect((await sandbox.manage(['backup', 'shop'])).code).toBe(0);
    const steps = await sweep({
      recoverAt: 'even',
      prepare: ensureShopRuns,
      command: () => ['restore', 'shop', '--yes'],
      intact: expectKept,
      done: expectKept,
    });
    expect(steps).toBeGreaterThanOrEqual(7);
  });

  it('of restore beside', async () => {
    await makeShop();
    expect((await sandbox.manage(['backup', 'shop'])).code).toBe(0);
    const steps = await sweep({
      recoverAt: 'odd',
      prepare: async () => await destroyIfThere('copy'),
      command: () => ['restore', 'shop', '--as', 'copy', '--port-range', sandbox.portRange],
      intact: async () => {
        await expectKept();
        expect(['running', undefined]).toContain(await state('copy'));
      },
      done: async () => await expectKept('copy'),
    });
    expect(steps).toBeGreaterThanOrEqual(6);
  });

  it('of cleanup-backups, and of delete-backup', async () => {
    await makeShop();
    let taken = 0;
    /** Tops the backups up, the newest of which is verified. */
    const topUp = async (count: number): Promise<void> => {
      while ((await backupIds()).length < count) {
        expect((await sandbox.manage(['backup', 'shop', '--backup-name', `b${++taken}`, '--no-verify'])).code).toBe(0);
      }
      await expectNewestRestorable();
    };
    const expectNewestRestorable = async (): Promise<void> => await expectRestorable(`b${taken}`);
    const steps = await sweep({
      recoverAt: 'even',
      prepare: async () => await topUp(3),
      command: () => ['cleanup-backups', 'shop', '--keep', '1', '--yes'],
      intact: expectNewestRestorable,
      done: async () => expect(await backupIds()).toEqual([`b${taken}`]),
    });
    expect(steps).toBe(3);
    const swept = await sweep({
      recoverAt: 'odd',
      prepare: async () => await topUp(2),
      command: () => ['delete-backup', 'shop', '--backup-name', `b${taken - 1}`, '--yes'],
      intact: expectNewestRestorable,
      done: async () => expect(await backupIds()).not.toContain(`b${taken - 1}`),
    });
    expect(swept).toBeGreaterThanOrEqual(2);
  });
});

import { describe, expect, it } from '@jest/globals';
import { identifier } from '../../lib/postgres/sql.ts';
import { dataOf } from '../helpers/answer.ts';
import { superQuery } from '../helpers/database.ts';
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

interface Listed {
  id: string;
  type: string;
}

async function listed(): Promise<Listed[]> {
  const { backups } = dataOf(await sandbox.manage(['list-backups', 'shop', '--json'])) as { backups: Listed[] };
  return backups;
}

async function backupIds(): Promise<string[]> {
  return (await listed()).map(({ id }) => id);
}

async function expectRestorable(id: string, type = 'full'): Promise<void> {
  const level = type === 'full' ? ['--level', 'quick'] : [];
  expect((await sandbox.manage(['verify-backup', 'shop', '--backup-name', id, ...level])).code).toBe(0);
}

/** Every backup that is listed can be restored; those that are known to be are left out. */
async function expectBackupsRestorable(known = new Set<string>()): Promise<void> {
  for (const { id, type } of await listed()) {
    if (!known.has(id)) await expectRestorable(id, type);
    known.add(id);
  }
}

async function sweepBackup(recoverAt: 'even' | 'odd', ...args: string[]): Promise<void> {
  await makeShop();
  const known = new Set<string>();
  const steps = await sweep({
    recoverAt,
    prepare: ensureShopRuns,
    command: () => ['backup', 'shop', ...args],
    intact: async () => {
      await expectKept();
      await expectBackupsRestorable(known);
    },
    done: expectKept,
  });
  expect(steps).toBeGreaterThanOrEqual(4);
  await expectBackupsRestorable();
}

describe('kill -9 at every step of the journal', () => {
  it('of backup', async () => {
    await sweepBackup('even', '--level', 'quick');
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

describeWithPrograms(async () => {
  await makeShop();
  const refused = await sandbox.manage(['backup', 'shop', '--backup-type', 'dump', '--json']);
  expect([refused.code, refused.json().error?.code]).toEqual([1, 'NO_PG_DUMP']);
  await expectInvariants(sandbox);
  await expectKept();
})('kill -9 at every step of the journal', () => {
  it('of backup --backup-type dump', async () => {
    await sweepBackup('odd', '--backup-type', 'dump');
  });

  it('of restore of a dump in place', async () => {
    await makeShop();
    await superQuery(sandbox, 'shop', 'create table own as select 7 as rows');
    expect((await sandbox.manage(['backup', 'shop', '--backup-type', 'dump', '--backup-name', 'd1'])).code).toBe(0);
    const others = async (like: string): Promise<string[]> => {
      const sql = `select datname as name from pg_database where datname ~ '${like}'`;
      return (await superQuery<{ name: string }>(sandbox, 'shop', sql)).map(({ name }) => name);
    };
    const whole = async (): Promise<void> => {
      await expectKept();
      expect(await superQuery(sandbox, 'shop', 'select rows from own')).toEqual([{ rows: 7 }]);
      expect(await others('_restoring_')).toEqual([]);
    };
    const steps = await sweep({
      recoverAt: 'even',
      prepare: async () => {
        await ensureShopRuns();
        // What earlier restores have put aside.
        for (const aside of await others('_before_'))
          await superQuery(sandbox, 'shop', `drop database ${identifier(aside)}`);
      },
      command: () => ['restore', 'shop', '--backup-name', 'd1', '--yes'],
      intact: whole,
      done: whole,
    });
    expect(steps).toBeGreaterThanOrEqual(4);
  });

  it('of restore of a dump beside', async () => {
    await makeShop();
    expect((await sandbox.manage(['backup', 'shop', '--backup-type', 'dump', '--backup-name', 'd1'])).code).toBe(0);
    const steps = await sweep({
      recoverAt: 'odd',
      prepare: async () => await destroyIfThere('copy'),
      command: () => ['restore', 'shop', '--backup-name', 'd1', '--as', 'copy', '--port-range', sandbox.portRange],
      intact: async () => {
        await expectKept();
        expect(['running', undefined]).toContain(await state('copy'));
      },
      done: async () => await expectKept('copy'),
    });
    expect(steps).toBeGreaterThanOrEqual(5);
  });
});

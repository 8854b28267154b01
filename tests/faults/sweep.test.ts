import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { type Address, addressOf, query } from '../helpers/database.ts';
import { expectInvariants } from '../helpers/invariants.ts';
import { makeOwnCluster } from '../helpers/own-cluster.ts';

const migrations = fileURLToPath(new URL('../fixtures/migrations', import.meta.url));
const killed = 128 + 9;

let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = await makeSandbox();
});

afterEach(async () => {
  await sandbox.cleanup();
});

interface Swept {
  /** At which steps `recover` is called before the command is given again; at the others the command finds the wreck itself. */
  recoverAt: 'odd' | 'even';
  /** Makes the state that the command begins from; called before each kill. */
  prepare(): Promise<void>;
  command(): string[];
  /** What must hold after the kill and the recovery, whether the command was undone or finished. */
  intact(): Promise<void>;
  /** What must hold after the command has been given again. */
  done(): Promise<void>;
}

/**
 * Kills the command with SIGKILL at its first journal write, then at its second, and so on until it gets to its end without
 * being killed: the steps are not listed anywhere, so a new one is swept too.
 */
async function sweep({ recoverAt, prepare, command, intact, done }: Swept): Promise<number> {
  for (let step = 1; ; step++) {
    await prepare();
    const run = await sandbox.manage(command(), { env: { PG_MANAGE_TEST_KILL_AT: String(step) } });
    if (run.code === 0) {
      await done();
      return step - 1;
    }
    if (run.code !== killed) throw new Error(`step ${step}: exit status ${run.code}\n${run.stdout}\n${run.stderr}`);
    if ((step % 2 === 0) === (recoverAt === 'even')) {
      const { recovered } = dataOf(await sandbox.manage(['recover', '--json'])) as { recovered: { outcome: string }[] };
      await expectInvariants(sandbox);
      await intact();
      // What was finished is not there to be done again: a create would rightly say that the instance exists.
      if (recovered.some(({ outcome }) => outcome === 'finished')) {
        await done();
        continue;
      }
    }
    const again = await sandbox.manage(command());
    if (again.code !== 0)
      throw new Error(`after a kill at step ${step}: exit status ${again.code}\n${again.stdout}\n${again.stderr}`);
    await expectInvariants(sandbox);
    await done();
  }
}

async function state(name: string): Promise<string | undefined> {
  const { instances } = dataOf(await sandbox.manage(['list', '--json'])) as {
    instances: { name: string; state: string }[];
  };
  return instances.find((instance) => instance.name === name)?.state;
}

/** A running instance with a row that must survive everything. */
async function makeShop(): Promise<void> {
  await sandbox.create('shop', '--template', 'testing');
  await query(await addressOf(sandbox, 'shop'), 'create table kept as select 42 as answer');
}

async function ensureShopRuns(): Promise<void> {
  if ((await state('shop')) === undefined) await makeShop();
  expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
}

async function expectKept(name = 'shop'): Promise<void> {
  expect(await query(await addressOf(sandbox, name), 'select answer from kept')).toEqual([{ answer: 42 }]);
}

async function backupIds(): Promise<string[]> {
  const { backups } = dataOf(await sandbox.manage(['list-backups', 'shop', '--json'])) as { backups: { id: string }[] };
  return backups.map(({ id }) => id);
}

/** Every backup that is listed can be restored. */
async function expectBackupsRestorable(): Promise<void> {
  const { backups } = dataOf(await sandbox.manage(['list-backups', 'shop', '--json'])) as {
    backups: { id: string; state: string }[];
  };
  for (const { id } of backups)
    expect((await sandbox.manage(['verify-backup', 'shop', '--backup-name', id])).code).toBe(0);
}

/** The plan's file, the record and the lease are of one and the same planning. */
async function expectOnePlan(): Promise<void> {
  await expectKept();
  const folder = join(sandbox.root, 'instances', 'shop');
  const record = JSON.parse(readFileSync(join(folder, 'instance.json'), 'utf8')) as Record<string, number>;
  const lease = JSON.parse(readFileSync(join(sandbox.host, 'leases', `${record['port']}.json`), 'utf8')) as object;
  const { committedBytes, stressBytes } = record;
  expect(lease).toMatchObject({ committedBytes, stressBytes });
  const { changes } = dataOf(await sandbox.manage(['tune', 'shop', '--json'])) as {
    changes: { takes: string | null }[];
  };
  expect(changes.filter(({ takes }) => takes !== null)).toEqual([]);
}

describe('kill -9 at every step of the journal', () => {
  it('of create', async () => {
    const steps = await sweep({
      recoverAt: 'even',
      prepare: async () => void (await sandbox.manage(['destroy', 'shop', '--yes'])),
      command: () => ['create', 'shop', '--template', 'testing', '--port-range', sandbox.portRange],
      intact: async () => expect(['running', undefined]).toContain(await state('shop')),
      done: async () => expect(await state('shop')).toBe('running'),
    });
    expect(steps).toBeGreaterThanOrEqual(4);
  });

  it('of start, and of a start that moves to another port', async () => {
    await makeShop();
    for (const more of [[], ['--port', 'auto', '--port-range', sandbox.portRange]]) {
      await sweep({
        recoverAt: 'even',
        prepare: async () => expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0),
        command: () => ['start', 'shop', ...more],
        intact: async () => expect(['running', 'stopped']).toContain(await state('shop')),
        done: expectKept,
      });
    }
  });

  it('of tune', async () => {
    await makeShop();
    let sizeMB = 200;
    const steps = await sweep({
      recoverAt: 'odd',
      prepare: ensureShopRuns,
      command: () => ['tune', 'shop', '--memory', `${(sizeMB += 10)}MB`, '--apply'],
      intact: expectOnePlan,
      done: expectOnePlan,
    });
    expect(steps).toBeGreaterThanOrEqual(5);
  });

  it('of stop', async () => {
    await makeShop();
    await sweep({
      recoverAt: 'even',
      prepare: ensureShopRuns,
      command: () => ['stop', 'shop'],
      intact: async () => expect(['running', 'stopped']).toContain(await state('shop')),
      done: async () => expect(await state('shop')).toBe('stopped'),
    });
  });

  it('of migrate', async () => {
    await sweep({
      recoverAt: 'even',
      prepare: async () => {
        await sandbox.manage(['destroy', 'shop', '--yes']);
        await makeShop();
      },
      command: () => ['migrate', 'shop', '--migrations-dir', migrations],
      intact: expectKept,
      done: async () => {
        const status = dataOf(
          await sandbox.manage(['migrate-status', 'shop', '--migrations-dir', migrations, '--json']),
        );
        expect(status).toMatchObject({ current: '003' });
      },
    });
  });

  it('of backup', async () => {
    await makeShop();
    const steps = await sweep({
      recoverAt: 'even',
      prepare: ensureShopRuns,
      command: () => ['backup', 'shop'],
      intact: async () => {
        await expectKept();
        await expectBackupsRestorable();
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
      prepare: async () => void (await sandbox.manage(['destroy', 'copy', '--yes'])),
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
    const expectNewestRestorable = async (): Promise<void> => {
      expect((await sandbox.manage(['verify-backup', 'shop', '--backup-name', `b${taken}`])).code).toBe(0);
    };
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

  it('of a create with a pooler', async () => {
    const steps = await sweep({
      recoverAt: 'odd',
      prepare: async () => void (await sandbox.manage(['destroy', 'shop', '--yes'])),
      command: () => ['create', 'shop', '--template', 'testing', '--port-range', sandbox.portRange, '--pooler'],
      intact: async () => expect(['running', undefined]).toContain(await state('shop')),
      done: expectPooled,
    });
    expect(steps).toBeGreaterThanOrEqual(5);
  });

  it('of giving a pooler, of moving it, and of taking it away', async () => {
    await makeShop();
    const range = ['--port-range', sandbox.portRange];
    const give = async () => void (await sandbox.manage(['pooler', 'shop', ...range]));
    const takeAway = async () => void (await sandbox.manage(['pooler', 'shop', '--off']));
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
          await sandbox.manage(['pooler', 'shop', '--port-range', sandbox.portRange]);
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

/** A client's whole way through the pooler. */
async function expectPooled(): Promise<void> {
  const { url } = dataOf(await sandbox.manage(['connect', 'shop', '--via', 'pooler', '--json'])) as Address;
  expect(await query({ url } as Address, 'select 42 as answer')).toEqual([{ answer: 42 }]);
}

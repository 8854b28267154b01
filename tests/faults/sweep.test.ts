import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { superQuery } from '../helpers/database.ts';
import {
  destroyIfThere,
  ensureShopRuns,
  expectKept,
  keep,
  makeShop,
  sandbox,
  state,
  sweep,
  useSandboxes,
} from '../helpers/sweep.ts';

const migrations = fileURLToPath(new URL('../fixtures/migrations', import.meta.url));

useSandboxes();

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
      prepare: async () => await destroyIfThere('shop'),
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

  it('of apply, between the actions that it is made of', async () => {
    await makeShop();
    const file = join(sandbox.folder, 'fleet.yaml');
    let round = 0;
    const steps = await sweep({
      recoverAt: 'even',
      isOneOfSeveral: true,
      async prepare() {
        round += 1;
        const wanted = `databases: { d${round}: {} }, users: { u${round}: { privileges: { d${round}: read } } }`;
        writeFileSync(file, `instances:\n  shop: { template: testing, ${wanted} }\n`, { mode: 0o644 });
      },
      command: () => ['apply', '--file', file],
      intact: expectKept,
      async done() {
        const { changed } = dataOf(await sandbox.manage(['apply', '--file', file, '--json'])) as { changed: boolean };
        expect(changed).toBe(false);
      },
    });
    expect(steps).toBe(4);
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
    await makeShop();
    await sweep({
      recoverAt: 'even',
      prepare: async () => {
        await superQuery(sandbox, 'shop', 'drop database shop');
        await superQuery(sandbox, 'shop', 'create database shop owner shop');
        await keep();
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
});

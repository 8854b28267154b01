import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { poll } from '../../lib/host/wait.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, query } from '../helpers/database.ts';
import { expectInvariants } from '../helpers/invariants.ts';

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await makeSandbox();
});

afterAll(async () => {
  await sandbox.cleanup();
});

async function untilRunning(): Promise<void> {
  const { signal } = new AbortController();
  const running = async (): Promise<true | undefined> =>
    (await sandbox.manage(['status', 'shop'])).code === 0 ? true : undefined;
  expect(await poll(running, { signal, timeoutMs: 60_000 })).toBe(true);
}

/** Less than any server needs. */
const noTime = ['--timeout', '0.001', '--json'];

describe('time that runs out while a server starts', () => {
  it('ends a create with 6 and leaves the server alone; the same command begins anew', async () => {
    const create = ['create', 'shop', '--template', 'testing', '--port-range', sandbox.portRange];
    const early = await sandbox.manage([...create, ...noTime]);
    expect([early.code, early.json().error?.code]).toEqual([6, 'STILL_STARTING']);
    const { instances } = dataOf(await sandbox.manage(['list', '--json'])) as {
      instances: { name: string; state: string }[];
    };
    expect(instances).toMatchObject([{ name: 'shop', state: 'creating' }]);
    expect(dataOf(await sandbox.manage([...create, '--json']))).toMatchObject({ state: 'running' });
    await expectInvariants(sandbox);
  });

  it('ends a start with 6, and the server comes up by itself', async () => {
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    const early = await sandbox.manage(['start', 'shop', ...noTime]);
    expect([early.code, early.json().error?.code]).toEqual([6, 'STILL_STARTING']);
    expect(early.json().error?.hint).toContain('status');
    await untilRunning();
  });

  it('ends a restore with 6, and the recovery comes to its end by itself', async () => {
    await query(await addressOf(sandbox, 'shop'), 'create table kept as select 42 as answer');
    dataOf(await sandbox.manage(['backup', 'shop', '--json']));
    await query(await addressOf(sandbox, 'shop'), 'insert into kept values (43)');
    const early = await sandbox.manage(['restore', 'shop', '--yes', ...noTime]);
    expect([early.code, early.json().error?.code]).toEqual([6, 'STILL_STARTING']);
    await untilRunning();
    const answers = await query(await addressOf(sandbox, 'shop'), 'select answer from kept order by 1');
    expect(answers).toEqual([{ answer: 42 }, { answer: 43 }]);
    expect((await sandbox.manage(['restart', 'shop'])).code).toBe(0);
    expect(await query(await addressOf(sandbox, 'shop'), 'show hot_standby')).toEqual([{ hot_standby: 'on' }]);
    await expectInvariants(sandbox);
  });
});

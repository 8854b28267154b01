import { afterEach, beforeEach, expect, jest } from '@jest/globals';
import { dataOf } from './answer.ts';
import { makeSandbox, type Sandbox } from './cli.ts';
import { addressOf, query } from './database.ts';
import { expectInvariants, instancesIn } from './invariants.ts';

/** Of the test that runs. */
export let sandbox: Sandbox;

/** Gives each test of a file a sandbox of its own, and time for many steps also on a busy machine. */
export function useSandboxes(): void {
  jest.setTimeout(600_000);
  beforeEach(async () => {
    sandbox = await makeSandbox();
  });
  afterEach(async () => {
    await sandbox.cleanup();
  });
}

const killed = 128 + 9;

interface Swept {
  /** At which steps `recover` is called before the command is given again; at the others the command finds the wreck itself. */
  recoverAt: 'odd' | 'even';
  /** Whether what is found finished may be but one of the operations that the command is made of. */
  isOneOfSeveral?: true;
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
export async function sweep({ recoverAt, isOneOfSeveral, prepare, command, intact, done }: Swept): Promise<number> {
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
      if (isOneOfSeveral !== true && recovered.some(({ outcome }) => outcome === 'finished')) {
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

export async function state(name: string): Promise<string | undefined> {
  return instancesIn(sandbox).find((instance) => instance.name === name)?.state;
}

/** A running instance with a row that must survive everything. */
export async function makeShop(): Promise<void> {
  await sandbox.create('shop', '--template', 'testing');
  await keep();
}

/** Puts that row into its database. */
export async function keep(): Promise<void> {
  await query(await addressOf(sandbox, 'shop'), 'create table kept as select 42 as answer');
}

export async function ensureShopRuns(): Promise<void> {
  if ((await state('shop')) === undefined) await makeShop();
  if ((await state('shop')) !== 'running') expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
}

export async function destroyIfThere(name: string): Promise<void> {
  if ((await state(name)) !== undefined) dataOf(await sandbox.manage(['destroy', name, '--yes', '--json']));
}

export async function expectKept(name = 'shop'): Promise<void> {
  expect(await query(await addressOf(sandbox, name), 'select answer from kept')).toEqual([{ answer: 42 }]);
}

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { GB } from '../../lib/tuning/sizes.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { type Address, addressOf, pgbenchInit, query, serverProgram } from '../helpers/database.ts';
import { makeMemoryGroup, type MemoryGroup } from '../helpers/memory-group.ts';

const run = promisify(execFile);
const names = ['p1', 'p2', 'p3', 'p4', 'p5'];

let sandbox: Sandbox;
let group: MemoryGroup | undefined;

beforeAll(async () => {
  sandbox = await makeSandbox({ onDisk: true }); // files in memory would count as the group's
  group = makeMemoryGroup(`pgm-${sandbox.portRange}`, GB);
});

afterAll(async () => {
  await sandbox.cleanup();
  await group?.remove();
});

/** In the group; where none can be made, on the machine as it is: tests/unit/tuning/plan.test.ts has the small host then. */
async function manage(...args: string[]) {
  return group === undefined ? await sandbox.manage(args) : await group.manage(sandbox, args);
}

const create = (name: string): string[] => ['create', name, '--template', 'production', '--json', '--port-range'];

it('five production instances in 1 GB, all at their max_connections at once; the sixth is refused', async () => {
  const lone = dataOf(await manage(...create('p1'), sandbox.portRange, '--dry-run'))['plan'] as Plan;
  for (const name of names) dataOf(await manage(...create(name), sandbox.portRange));

  // With neighbours, each plan is another one than it would be alone; that of the first, too, were it made now.
  for (const name of names.slice(1)) expect(settingsOf(name)).not.toEqual(asText(lone));
  const { changes } = dataOf(await manage('tune', 'p1', '--json')) as { changes: { takes: string | null }[] };
  expect(changes.some(({ takes }) => takes !== null)).toBe(true);

  const budget = dataOf(await manage('budget', '--json')) as Record<string, number>;
  if (group !== undefined) expect(budget['limitBytes']).toBe(GB);
  expect(budget['committedBytes']).toBeLessThanOrEqual(budget['budgetBytes'] ?? 0);

  const addresses = await Promise.all(names.map(async (name) => await addressOf(sandbox, name)));
  for (const address of addresses) await pgbenchInit(address, 1);
  const loads = await Promise.all(addresses.map(async (address) => await load(address)));
  for (const output of loads) expect(output).not.toContain('too many clients');

  if (group === undefined) return;
  expect(group.killed()).toBe(0);
  const { code, json } = await group.manage(sandbox, [...create('p6'), sandbox.portRange]);
  expect([code, json().error?.code]).toEqual([8, 'MEMORY_BUDGET']);
  expect(json().error?.message).toMatch(
    /needs is 150 MB: the budget is 819\.2 MB \(80 % of this host's 1 GB\), 5 other instances have committed [\d.]+ MB, which leaves [\d.]+ MB/,
  );
  expect(json().error?.hint).toMatch(/^ask for what is left: --memory \d+MB$/);
});

interface Plan {
  settings: { name: string; value: string }[];
}

function settingsOf(name: string): string[] {
  const text = readFileSync(join(sandbox.root, 'instances', name, 'data', 'pg-manage.tuning.conf'), 'utf8');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function asText({ settings }: Plan): string[] {
  return settings.map(({ name, value }) => `${name} = ${value}`);
}

/** All the connections that an ordinary role may have, at work for some seconds. @throws when one of them is refused */
async function load(address: Address): Promise<string> {
  const [limits] = await query<{ clients: number }>(
    address,
    `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true)::int, 0) as clients`,
  );
  const args = ['--no-vacuum', `--client=${limits?.clients}`, '--jobs=2', '--time=4', address.url];
  const { stdout, stderr } = await run(serverProgram('pgbench'), args);
  return stdout + stderr;
}

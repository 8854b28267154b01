import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processesOn } from '../../lib/host/processes.ts';
import { poll } from '../../lib/host/wait.ts';
import { listTree, makeSandbox, type Running, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let folder: string;
beforeAll(async () => {
  sandbox = await makeSandbox();
  folder = join(sandbox.root, 'instances', 'client-a');
});
afterAll(async () => await sandbox.cleanup());

/** Moments of a create, told by what is on disk. */
const moments = {
  'initdb has begun': () => existsSync(join(folder, 'data', 'base')),
  'initdb has ended': () => existsSync(join(folder, 'data', 'global', 'pg_control')),
  'the server has been started': () => existsSync(join(folder, 'data', 'postmaster.pid')),
  'the password is written': () => existsSync(join(folder, 'password')),
};

async function beginCreate(moment: keyof typeof moments): Promise<Running> {
  const running = sandbox.begin(['create', 'client-a', '--port-range', sandbox.portRange], { ownGroup: true });
  const reached = await poll(() => moments[moment]() || undefined, {
    signal: AbortSignal.timeout(30_000),
    timeoutMs: 30_000,
    minMs: 1,
    maxMs: 4,
  });
  expect(reached).toBe(true);
  return running;
}

function leases(): string[] {
  return listTree(join(sandbox.host, 'leases'));
}

function expectNothingLeft(): void {
  expect(processesOn(sandbox.folder)).toEqual([]);
  expect(listTree(join(sandbox.root, 'instances'))).toEqual([]);
  expect(leases()).toEqual([]);
  const own = listTree(join(sandbox.root, '.pg-manage')).filter((line) =>
    /^(journal|scratch|quarantine)\/./.test(line),
  );
  expect(own).toEqual([]);
  // The archive of an instance that never was is no backup: nothing of it is kept.
  expect(listTree(join(sandbox.root, 'backups')).filter((line) => /\.(json|gz|lz4|zst|tar)\b/.test(line))).toEqual([]);
}

describe('a create that is interrupted leaves nothing', () => {
  it.each([
    ['SIGINT', 'initdb has begun'],
    ['SIGINT', 'the password is written'],
    ['SIGTERM', 'initdb has ended'],
    ['SIGTERM', 'the server has been started'],
  ] as const)('%s when %s', async (signal, moment) => {
    const running = await beginCreate(moment);
    running.kill(signal);
    const { code, stdout, stderr } = await running.finished;
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(stderr).toContain('interrupted: ending and clearing up');
    expect(stderr).toMatch(/^error interrupted; what had not ended was undone \[INTERRUPTED\]$/m);
    expectNothingLeft();
  });

  it('is told as JSON, too', async () => {
    const running = sandbox.begin(['create', 'client-a', '--json', '--port-range', sandbox.portRange]);
    await poll(() => moments['initdb has begun']() || undefined, {
      signal: AbortSignal.timeout(30_000),
      timeoutMs: 30_000,
    });
    running.kill('SIGINT');
    const { code, json } = await running.finished;
    expect({ code, error: json().error }).toMatchObject({ code: 130, error: { code: 'INTERRUPTED', exitCode: 130 } });
    expectNothingLeft();
  });

  it('and the same command then works', async () => {
    await sandbox.create('client-a');
    expect((await sandbox.manage(['status', 'client-a'])).code).toBe(0);
    expect(leases()).toHaveLength(1);
  });
});

it('a backup that is interrupted leaves the instance running and no backup', async () => {
  const running = sandbox.begin(['backup', 'client-a'], { ownGroup: true });
  const scratch = join(sandbox.root, 'backups', 'client-a', 'base');
  await poll(() => listTree(scratch).length > 0 || undefined, {
    signal: AbortSignal.timeout(30_000),
    timeoutMs: 30_000,
    minMs: 1,
    maxMs: 4,
  });
  running.kill('SIGINT');
  const { code, stderr } = await running.finished;
  expect({ code, stderr }).toMatchObject({ code: 130 });
  const { backups } = (await sandbox.manage(['list-backups', 'client-a', '--json'])).json().data;
  expect(backups).toEqual([]);
  expect((await sandbox.manage(['status', 'client-a'])).code).toBe(0);
  const pid = Number(readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  expect(processesOn(sandbox.folder)).toContain(pid);
});

import { afterEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  commandLine,
  endProcessesOn,
  identify,
  isAlive,
  ourselves,
  pidExists,
  processesOn,
  sendSignal,
  waitForEnd,
  workingFolder,
} from '../../../lib/host/processes.ts';

const { signal } = new AbortController();
const children: ChildProcess[] = [];
let folder: string | undefined;
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  if (folder !== undefined) rmSync(folder, { recursive: true });
  folder = undefined;
});

async function start(program: string, args: string[], cwd = '/', argv0 = program): Promise<number> {
  const child = spawn(program, args, { cwd, argv0, stdio: 'ignore' });
  children.push(child);
  await once(child, 'spawn');
  return child.pid ?? 0;
}

const deadPid = (): number => spawnSync(process.execPath, ['-e', '0']).pid;

describe('identity', () => {
  it('of a living process stays the same and counts as living', async () => {
    const pid = await start('/bin/sleep', ['60']);
    expect(identify(pid)).toEqual(identify(pid));
    expect(isAlive(identify(pid) ?? ourselves())).toBe(true);
    expect(ourselves().pid).toBe(process.pid);
    expect(isAlive(ourselves())).toBe(true);
  });

  it('of a dead process, of an earlier owner of the number and of an earlier boot is gone', () => {
    const us = ourselves();
    expect(identify(deadPid())).toBeUndefined();
    expect(isAlive({ ...us, pid: deadPid() })).toBe(false);
    expect(isAlive({ ...us, started: '1' })).toBe(false);
    expect(isAlive({ ...us, host: us.host.replace(/^\S+/, 'another-boot') })).toBe(false);
  });

  it('of a process that cannot be seen from here counts as living', () => {
    const us = ourselves();
    if (!us.host.includes(' ')) return; // no process namespaces on this system
    const elsewhere = us.host.replace(/ .*/, ' pid:[1]');
    expect(isAlive({ pid: deadPid(), started: '1', host: elsewhere })).toBe(true);
  });

  it('tells a process whose name holds spaces and brackets', async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'pgm-proc-')));
    const program = join(folder, 'a) R 1 (b');
    copyFileSync('/bin/sleep', program);
    const pid = await start(program, ['60']);
    expect(identify(pid)?.started).toMatch(/\d/);
    expect(Number(identify(pid)?.started)).toBeGreaterThanOrEqual(Number(ourselves().started));
  });
});

describe('what is known of a process', () => {
  it('its folder and its arguments, while it lives', async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'pgm-proc-')));
    const code = 'setInterval(() => {}, 1000)';
    const pid = await start(process.execPath, ['-e', code, '--', 'an argument'], folder);
    expect(workingFolder(pid)).toBe(folder);
    expect(commandLine(pid)).toEqual([process.execPath, '-e', code, '--', 'an argument']);
    expect(pidExists(pid)).toBe(true);
  });

  it('nothing of one that is gone', () => {
    const pid = deadPid();
    expect([pidExists(pid), commandLine(pid), workingFolder(pid)]).toEqual([false, [], undefined]);
  });
});

describe('ending', () => {
  it('sendSignal passes over a process that is gone', () =>
    expect(() => sendSignal(deadPid(), 'SIGTERM')).not.toThrow());

  it('waitForEnd is true when gone, false when time is up', async () => {
    const pid = await start('/bin/sleep', ['60']);
    expect(await waitForEnd(pid, 50, signal)).toBe(false);
    expect(pidExists(pid)).toBe(true);
    sendSignal(pid, 'SIGTERM');
    expect(await waitForEnd(pid, 10_000, signal)).toBe(true);
    expect(await waitForEnd(deadPid(), 0, signal)).toBe(true);
  });

  it('endProcessesOn ends programs of ours at work on the folder, and nothing else', async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'pgm-proc-')));
    const scratch = join(folder, 'scratch');
    const bin = join(folder, 'bin');
    for (const path of [scratch, `${scratch}-2`, bin]) mkdirSync(path);
    // sleep under the name of a program of ours; it takes several arguments, so names a folder only by standing in it
    copyFileSync('/bin/sleep', join(bin, 'tar'));
    copyFileSync('/bin/sleep', join(bin, 'tail'));
    const ours = await start(join(bin, 'tar'), ['60'], scratch);
    const operators = await start(join(bin, 'tail'), ['60'], scratch);
    const beside = await start(join(bin, 'tar'), ['60'], `${scratch}-2`);
    expect(processesOn(scratch)).toEqual([ours]);
    await endProcessesOn(scratch);
    expect([ours, operators, beside].map(pidExists)).toEqual([false, true, true]);
    expect(processesOn(scratch)).toEqual([]);
  });

  it('processesOn knows a folder by an argument, also behind an =, and not by its beginning', async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'pgm-proc-')));
    const wait = ['-e', 'setInterval(() => {}, 1000)', '--'];
    const server = async (...args: string[]): Promise<number> =>
      await start(process.execPath, [...wait, ...args], '/', 'postgres');
    const byArgument = await server('-D', `${folder}/data`);
    const byOption = await server(`--pgdata=${folder}/data/base`);
    const other = await server('-D', `${folder}/data2`);
    expect(processesOn(`${folder}/data`).sort((a, b) => a - b)).toEqual([byArgument, byOption].sort((a, b) => a - b));
    expect(pidExists(other)).toBe(true);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acquire, holdersOf, type LockHolder, type LockRequest } from '../../../lib/host/locks.ts';
import { monotonicMs } from '../../../lib/host/clock.ts';
import { ourselves } from '../../../lib/host/processes.ts';
import { pause } from '../../../lib/host/wait.ts';

let folder: string;
let seen: LockHolder[][];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgm-locks-'));
  seen = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function request(mode: 'shared' | 'exclusive', more: Partial<LockRequest> = {}): LockRequest {
  return {
    folder: join(folder, 'lock'),
    mode,
    subject: 'instance a',
    action: 'backup',
    timeoutMs: 100,
    signal: new AbortController().signal,
    onWait: (holders) => void seen.push(holders),
    ...more,
  };
}

/** A holder's file as a process writes it that may be gone. */
function putHolder(process: LockHolder['process']): string {
  mkdirSync(join(folder, 'lock'), { recursive: true });
  const file = join(folder, 'lock', 'somebody.json');
  writeFileSync(
    file,
    JSON.stringify({ mode: 'exclusive', action: 'restore', since: '2026-01-01T00:00:00.000Z', process }),
  );
  return file;
}

function holderFiles(): string[] {
  return readdirSync(join(folder, 'lock')).filter((name) => name.endsWith('.json'));
}

describe('acquire', () => {
  it('lets one in at a time when exclusive', async () => {
    const lock = await acquire(request('exclusive'));
    await expect(acquire(request('exclusive'))).rejects.toMatchObject({ code: 'LOCKED', exitCode: 75 });
    lock.release();
    (await acquire(request('exclusive'))).release();
    expect(holderFiles()).toEqual([]);
  });

  it('lets many in when shared, and keeps shared and exclusive apart', async () => {
    const shared = [await acquire(request('shared')), await acquire(request('shared'))];
    await expect(acquire(request('exclusive'))).rejects.toMatchObject({ code: 'LOCKED' });
    shared[0]?.release();
    await expect(acquire(request('exclusive'))).rejects.toMatchObject({ code: 'LOCKED' });
    shared[1]?.release();
    const exclusive = await acquire(request('exclusive'));
    await expect(acquire(request('shared'))).rejects.toMatchObject({ code: 'LOCKED' });
    exclusive.release();
  });

  it('is free at once for another lock', async () => {
    const lock = await acquire(request('exclusive'));
    (await acquire(request('exclusive', { folder: join(folder, 'other') }))).release();
    lock.release();
  });

  it('waits for the holder to go, telling once who it is', async () => {
    const lock = await acquire(request('exclusive', { action: 'destroy' }));
    void pause(200).then(() => lock.release());
    const next = await acquire(request('exclusive', { timeoutMs: 10_000 }));
    expect(seen.map((holders) => holders.map(({ action, process: { pid } }) => [action, pid]))).toEqual([
      [['destroy', process.pid]],
    ]);
    next.release();
  });

  it('names pid, action and time of the holder when time is up', async () => {
    const lock = await acquire(request('exclusive', { action: 'migrate' }));
    const since = holdersOf(join(folder, 'lock'))[0]?.since ?? '?';
    await expect(acquire(request('shared'))).rejects.toMatchObject({
      message: `instance a is busy: migrate (process ${process.pid}) since ${since}`,
      hint: expect.stringContaining(`ps -fp ${process.pid}`),
      data: { holders: [{ action: 'migrate', process: { pid: process.pid } }] },
    });
    expect(Date.parse(since)).toBeGreaterThan(Date.parse('2020-01-01'));
    lock.release();
  });

  it('tries once also without time to wait', async () => {
    (await acquire(request('exclusive', { timeoutMs: 0 }))).release();
    expect(seen).toEqual([]);
  });

  it("ends with the signal's reason, holding nothing", async () => {
    const lock = await acquire(request('exclusive'));
    const controller = new AbortController();
    const waiting = acquire(request('exclusive', { timeoutMs: 60_000, signal: controller.signal }));
    const reason = new Error('Ctrl-C');
    void pause(50).then(() => controller.abort(reason));
    await expect(waiting).rejects.toBe(reason);
    lock.release();
    expect(holderFiles()).toEqual([]);
  });

  it('can tell when its file was taken away', async () => {
    const lock = await acquire(request('exclusive'));
    expect(() => lock.assertHeld()).not.toThrow();
    for (const name of holderFiles()) rmSync(join(folder, 'lock', name));
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: 'LOCKED' }));
    lock.release();
  });
});

describe('a holder', () => {
  it.each([
    ['whose process is gone', () => ({ ...ourselves(), pid: spawnSync(process.execPath, ['-e', '0']).pid })],
    ['whose number belongs to a later process', () => ({ ...ourselves(), started: '1' })],
    ['of an earlier boot', () => ({ ...ourselves(), host: ourselves().host.replace(/^\S+/, 'before') })],
  ])('%s is passed over at once, and its file cleared away', async (_, holder) => {
    const file = putHolder(holder());
    const begun = monotonicMs();
    const lock = await acquire(request('exclusive', { timeoutMs: 0 }));
    expect(monotonicMs() - begun).toBeLessThan(1500);
    expect(seen).toEqual([]);
    expect(holderFiles().map((name) => join(folder, 'lock', name))).not.toContain(file);
    lock.release();
  });

  it('that lives keeps its lock however old its file looks', async () => {
    const lock = await acquire(request('exclusive'));
    const longAgo = new Date('2001-01-01');
    for (const name of readdirSync(join(folder, 'lock'))) utimesSync(join(folder, 'lock', name), longAgo, longAgo);
    await expect(acquire(request('exclusive', { timeoutMs: 300 }))).rejects.toMatchObject({ code: 'LOCKED' });
    expect(() => lock.assertHeld()).not.toThrow();
    lock.release();
  });

  it('that lives elsewhere, where we cannot see, keeps its lock', async () => {
    if (!ourselves().host.includes(' ')) return; // no process namespaces on this system
    putHolder({ pid: 1, started: '1', host: ourselves().host.replace(/ .*/, ' pid:[1]') });
    await expect(acquire(request('exclusive'))).rejects.toMatchObject({
      message: 'instance a is busy: restore (process 1) since 2026-01-01T00:00:00.000Z',
    });
  });

  it('that has not finished its file is none', async () => {
    mkdirSync(join(folder, 'lock'));
    writeFileSync(join(folder, 'lock', '.x.json.abc.tmp'), '{"mode":');
    (await acquire(request('exclusive'))).release();
  });
});

describe('the guard', () => {
  it('may be taken from a process that stands still within it: who is not alone steps back', async () => {
    // The moment between looking and writing, in which another gets in.
    const action = { toJSON: () => (putHolder(ourselves()), 'backup') } as unknown as string;
    await expect(acquire(request('exclusive', { action, timeoutMs: 0 }))).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining('restore (process'),
    });
    expect(holderFiles()).toEqual(['somebody.json']);
  });

  it('of a process that died within it is free after two seconds', async () => {
    const guard = join(folder, 'lock', 'guard');
    mkdirSync(guard, { recursive: true });
    const past = new Date(new Date().getTime() - 2500);
    utimesSync(guard, past, past);
    (await acquire(request('exclusive', { timeoutMs: 1000 }))).release();
  });
});

it('holdersOf looks without waiting', async () => {
  expect(holdersOf(join(folder, 'lock'))).toEqual([]);
  const lock = await acquire(request('shared'));
  expect(holdersOf(join(folder, 'lock'))).toMatchObject([{ mode: 'shared', action: 'backup' }]);
  lock.release();
});

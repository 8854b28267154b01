import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ourselves } from '../../../lib/host/processes.ts';
import { enter, type Place, type QueueRequest } from '../../../lib/host/queue.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgm-queue-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function request(more: Partial<QueueRequest> = {}): QueueRequest {
  const { signal } = new AbortController();
  return { folder, places: 2, action: 'backup', timeoutMs: 10_000, signal, ...more };
}

/** Resolves once somebody is told to wait. */
async function waiting(more: Partial<QueueRequest> = {}): Promise<{ entered: Promise<Place | undefined> }> {
  return await new Promise((resolve) => {
    const entered: Promise<Place | undefined> = enter(request({ ...more, onWait: () => resolve({ entered }) }));
  });
}

it('lets in as many as there are places, and then whoever has waited longest', async () => {
  const [first] = await Promise.all([enter(request()), enter(request())]);
  const order: string[] = [];
  const third = (await waiting()).entered.then((place) => (order.push('third'), place));
  const fourth = (await waiting()).entered.then((place) => (order.push('fourth'), place));
  first?.release();
  (await third)?.release();
  await fourth;
  expect(order).toEqual(['third', 'fourth']);
});

it('passes over the dead, and removes their tickets', async () => {
  const { pid } = spawnSync('true');
  const holder = { mode: 'shared', action: 'backup', since: '2026-01-01T00:00:00.000Z' };
  for (const number of ['000000000001', '000000000002']) {
    const dead = { ...ourselves(), pid, started: '1' };
    writeFileSync(join(folder, `${number}-x.json`), JSON.stringify({ ...holder, process: dead }));
  }
  const place = await enter(request());
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^000000000003-/)]);
  place?.release();
});

it('gives its ticket back when time is up, and when interrupted', async () => {
  await enter(request({ places: 1 }));
  expect(await enter(request({ places: 1, timeoutMs: 30 }))).toBeUndefined();
  const controller = new AbortController();
  const { entered } = await waiting({ places: 1, signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(entered).rejects.toThrow('enough');
  expect(readdirSync(folder)).toHaveLength(1);
});

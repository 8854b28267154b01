import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { buildSync } from 'esbuild';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { monotonicMs } from '../../../lib/host/clock.ts';
import { acquire, type LockRequest } from '../../../lib/host/locks.ts';

/** What each child does: adds one to a counter under the lock, some times; or takes the lock and stays. */
const childCode = `
import { readFileSync, writeFileSync } from 'node:fs';
import { pause } from './wait.ts';
import { acquire } from './locks.ts';
const [folder, counter, times] = process.argv.slice(2);
const take = () => acquire({ folder, mode: 'exclusive', subject: 'the counter', action: 'count',
  timeoutMs: 90000, signal: new AbortController().signal });
async function main() {
  if (times === 'stay') {
    await take();
    console.log('held');
    await pause(60000);
  }
  for (let left = Number(times); left > 0; left -= 1) {
    const lock = await take();
    const before = Number(readFileSync(counter, 'utf8'));
    await pause(2);
    writeFileSync(counter, String(before + 1));
    lock.release();
  }
}
void main();
`;

let folder: string;
let program: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgm-lock-race-'));
  program = join(folder, 'child.cjs');
  const resolveDir = fileURLToPath(new URL('../../../lib/host/', import.meta.url));
  const stdin = { contents: childCode, resolveDir, loader: 'ts' as const };
  buildSync({ stdin, bundle: true, platform: 'node', format: 'cjs', target: 'node20', outfile: program });
});
afterAll(() => rmSync(folder, { recursive: true }));

function child(...args: string[]): ChildProcess {
  return spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

function request(lock: string): LockRequest {
  const { signal } = new AbortController();
  return { folder: lock, mode: 'exclusive', subject: 'it', action: 'test', timeoutMs: 0, signal };
}

it('loses no increment of twelve processes', async () => {
  const counter = join(folder, 'counter');
  writeFileSync(counter, '0');
  const children = Array.from({ length: 12 }, () => child(join(folder, 'count'), counter, '5'));
  const statuses = await Promise.all(children.map(async (one) => (await once(one, 'exit'))[0] as unknown));
  expect(statuses).toEqual(Array.from({ length: 12 }, () => 0));
  expect(readFileSync(counter, 'utf8')).toBe('60');
  expect(readdirSync(join(folder, 'count'))).toEqual([]);
});

it('is kept while its process lives, and free as soon as that is killed', async () => {
  const lock = join(folder, 'stay');
  const holder = child(lock, '-', 'stay');
  await once(holder.stdout as NonNullable<typeof holder.stdout>, 'data');
  await expect(acquire(request(lock))).rejects.toMatchObject({
    code: 'LOCKED',
    message: expect.stringContaining(`count (process ${holder.pid})`),
  });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const begun = monotonicMs();
  const mine = await acquire(request(lock));
  expect(monotonicMs() - begun).toBeLessThan(1500);
  mine.release();
});

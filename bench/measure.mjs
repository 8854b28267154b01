import { spawn } from 'node:child_process';

/** What must be taken away again, the last first. */
const cleanups = [];
let running;
let interrupted = false;

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    interrupted = true;
    running?.kill('SIGINT');
  });
}

/** @param {() => unknown} step done at the end, also after a failure or Ctrl-C; a step that fails holds up no other */
export function atEnd(step) {
  cleanups.push(step);
}

export async function cleanUp() {
  interrupted = false;
  for (let step = cleanups.pop(); step !== undefined; step = cleanups.pop()) {
    try {
      await step();
    } catch (error) {
      console.error(`clearing up: ${error.message}`);
    }
  }
}

/**
 * Runs a program to its end.
 * @param {string[]} command
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<{ seconds: number, stdout: string, stderr: string }>}
 */
export async function run([program, ...args], options = {}) {
  if (interrupted) throw new Error('interrupted');
  const begun = process.hrtime.bigint();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/', ...options });
  running = child;
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name]?.on('data', (chunk) => (texts[name] += chunk));
  // At the exit, not at the end of its output: a server that it started may hold that open.
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ?? code));
  });
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  await new Promise((resolve) => setImmediate(resolve));
  if (interrupted) throw new Error('interrupted');
  if (status !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${status}\n${texts.stderr}${texts.stdout}`);
  return { seconds, ...texts };
}

/** How long some work takes, in seconds. @param {() => Promise<unknown>} work */
export async function seconds(work) {
  const begun = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - begun) / 1e9;
}

/**
 * Wall and processor time of a short program, by bash's own `time`: to the millisecond, without bash's start.
 * @param {string[]} command
 * @returns {Promise<{ wall: number, cpu: number }>} seconds
 */
export async function timed(command, options = {}) {
  const script = 'TIMEFORMAT="%3R %3U %3S"; time "$@" >/dev/null 2>&1';
  const { stderr } = await run(['bash', '-c', script, 'bash', ...command], {
    ...options,
    env: { ...process.env, ...options.env, LC_ALL: 'C' },
  });
  const [wall, user, system] = stderr.trim().split(' ').map(Number);
  return { wall, cpu: user + system };
}

/**
 * Runs A and B in turn (A B A B …), so that a machine that gets slower meanwhile is slower for both. The first pair is
 * for the caches and not counted.
 * @template T
 * @param {number} runs
 * @param {(run: number) => Promise<T>} ours
 * @param {(run: number) => Promise<T>} peer
 * @returns {Promise<{ ours: T, peer: T }[]>}
 */
export async function pairs(runs, ours, peer) {
  const results = [];
  for (let count = 0; count <= runs; count++) {
    process.stderr.write(count === 0 ? '  warming up\n' : `  ${count} of ${runs}\n`);
    results.push({ ours: await ours(count), peer: await peer(count) });
  }
  return results.slice(1);
}

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

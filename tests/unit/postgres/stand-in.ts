import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { commandLine } from '../../../lib/host/processes.ts';
import { poll } from '../../../lib/host/wait.ts';

/** A process that looks like a postmaster from outside: it is called so and stands in the data directory. */
export async function spawnStandIn(cwd: string, argv0 = 'postgres'): Promise<ChildProcess & { pid: number }> {
  const child = spawn('/bin/sleep', ['60'], { cwd, argv0, stdio: 'ignore' });
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  // For a moment after exec, Linux shows the command line empty.
  const { signal } = new AbortController();
  await poll(() => (commandLine(pid)[0] === argv0 ? true : undefined), { signal, timeoutMs: 5000, minMs: 1 });
  return Object.assign(child, { pid });
}

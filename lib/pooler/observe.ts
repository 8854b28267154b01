import { readText } from '../host/files.ts';
import type { Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import type { InstanceState } from '../instances/state.ts';
import { type PoolerLoad, readLoad } from './console.ts';
import { type PoolerPaths, poolerPaths } from './places.ts';
import { livePooler } from './process.ts';

/** How a pooler is. */
export interface ObservedPooler {
  port: number;
  /** `crashed`: its instance runs, and it does not. */
  state: 'running' | 'stopped' | 'crashed';
  pid: number | null;
  mode: string | null;
  /** Null where it does not run, or does not answer. */
  load: PoolerLoad | null;
}

/** Looks at the pooler of an instance, and asks it for its load; null where the instance has none. */
export async function observePooler(
  places: Places,
  { name, pooler }: Pick<InstanceRecord, 'name' | 'pooler'>,
  instance: InstanceState,
  signal: AbortSignal,
): Promise<ObservedPooler | null> {
  if (pooler === undefined) return null;
  const { port } = pooler;
  const paths = poolerPaths(places, name);
  const mode = /^pool_mode = (\w+)$/m.exec(readText(paths.configuration) ?? '')?.[1] ?? null;
  const process = livePooler(paths);
  if (process === undefined) {
    return { port, state: instance === 'running' ? 'crashed' : 'stopped', pid: null, mode, load: null };
  }
  return { port, state: 'running', pid: process.pid, mode, load: await tryLoad(paths, port, signal) };
}

async function tryLoad(paths: PoolerPaths, port: number, signal: AbortSignal): Promise<PoolerLoad | null> {
  try {
    return await readLoad(paths, port, signal);
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

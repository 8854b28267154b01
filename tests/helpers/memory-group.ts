import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { poll } from '../../lib/host/wait.ts';
import { beginProgram, type Finished, manageProgram, type Sandbox } from './cli.ts';

/** A control group of the test's own with a limit on memory: a small machine on this one. */
export interface MemoryGroup {
  /** Runs `./manage.ts ARGS` inside; servers that it starts stay there. */
  manage(sandbox: Sandbox, args: readonly string[]): Promise<Finished>;
  /** How many processes the kernel has ended there for want of memory. */
  killed(): number;
  /** Removes it, when its last process is gone. */
  remove(): Promise<void>;
}

interface Version {
  base: string;
  limit: string;
  events: string;
}

/** Version 1 where the memory controller is mounted by itself, else version 2. */
const versions: readonly Version[] = [
  {
    base: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    events: 'memory.oom_control',
  },
  { base: '/sys/fs/cgroup', limit: 'memory.max', events: 'memory.events' },
];

/** @returns undefined where no such group can be made: no root, or a /sys that may not be written */
export function makeMemoryGroup(name: string, limitBytes: number): MemoryGroup | undefined {
  const version = versions.find(({ base }) => existsSync(join(base, 'cgroup.procs')));
  if (version === undefined) return undefined;
  const folder = join(version.base, name);
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, version.limit), String(limitBytes));
  } catch {
    if (existsSync(folder)) rmdirSync(folder);
    return undefined;
  }
  const enter = `echo $$ > ${join(folder, 'cgroup.procs')} && exec "$@"`;
  return {
    manage: async ({ root, host, folder: cwd }, args) => {
      const env = { PG_MANAGE_ROOT: root, PG_MANAGE_HOST: host };
      return await beginProgram('/bin/sh', ['-c', enter, 'sh', manageProgram, ...args], { cwd, env }).finished;
    },
    killed: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(folder, version.events), 'utf8'))?.[1]),
    remove: async () => {
      const left = (): true | undefined =>
        readFileSync(join(folder, 'cgroup.procs'), 'utf8') === '' ? true : undefined;
      await poll(left, { signal: new AbortController().signal, timeoutMs: 10_000 });
      rmdirSync(folder);
    },
  };
}

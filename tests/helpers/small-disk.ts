import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beginProgram, type Finished, manageProgram, type RunOptions, type Sandbox, serviceAccount } from './cli.ts';

/**
 * A file system of a few megabytes below a sandbox: a real tmpfs. Root mounts it; a plain user does so in a mount namespace
 * of their own, and everything that is to see the disk runs in there.
 */
export interface SmallDisk {
  folder: string;
  /** As the sandbox's `manage`, where the disk can be seen. */
  manage(args: readonly string[], options?: RunOptions): Promise<Finished>;
  /** Takes up so many bytes, or as many as there are. */
  fill(bytes: number): void;
  /** Gives back what `fill` took. */
  free(): void;
  setReadOnly(readOnly: boolean): void;
  remove(): void;
}

export async function makeSmallDisk(sandbox: Sandbox, megabytes: number): Promise<SmallDisk> {
  const folder = join(sandbox.folder, 'small');
  mkdirSync(folder);
  const options = `size=${megabytes}m,mode=755`;
  const owner = serviceAccount();
  const holder = owner === undefined ? await beginNamespace(folder, options) : undefined;
  const inside =
    holder === undefined ? [] : ['nsenter', '--preserve-credentials', '-U', '-m', '-t', String(holder.pid)];
  const run = (...command: string[]): void => {
    const [program = '', ...args] = [...inside, ...command];
    execFileSync(program, args, { stdio: 'pipe' });
  };
  if (owner !== undefined) {
    run('mount', '-t', 'tmpfs', '-o', options, 'tmpfs', folder);
    chownSync(folder, owner.uid, owner.gid);
    chmodSync(folder, 0o755);
  }
  const ballast = join(folder, 'ballast');
  return {
    folder,
    async manage(args, more = {}) {
      const [program = '', ...rest] = [...inside, manageProgram, ...args];
      const env = { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host, ...more.env };
      return await beginProgram(program, rest, { cwd: sandbox.folder, ...more, env }).finished;
    },
    fill: (bytes) => run('sh', '-c', `head -c ${bytes} /dev/zero > "${ballast}" || true`),
    free: () => run('rm', '-f', ballast),
    setReadOnly: (readOnly) => run('mount', '-o', `remount,${readOnly ? 'ro' : 'rw'}`, folder),
    remove() {
      if (holder === undefined) run('umount', folder);
      else holder.kill('SIGKILL'); // and its namespace ends with the last process in it
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function beginNamespace(folder: string, options: string): Promise<ChildProcess> {
  const script = 'mount -t tmpfs -o "$1" tmpfs "$0" && echo ready && exec sleep 3600';
  const holder = spawn('unshare', [
    '-U',
    '--map-current-user',
    '--keep-caps',
    '-m',
    'sh',
    '-c',
    script,
    folder,
    options,
  ]);
  await once(holder.stdout, 'data');
  return holder;
}

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Finished, type RunOptions, type Sandbox, serviceAccount } from './cli.ts';

/**
 * A file system of a few megabytes below a sandbox: a real tmpfs. Root mounts it; a plain user does so in a mount namespace
 * of their own, and everything that is to see the disk runs in there.
 */
export interface SmallDisk {
  folder: string;
  /** What lets a program see it: see `RunOptions.inside`. */
  inside: readonly string[];
  /** As the sandbox's `manage`, where the disk can be seen. */
  manage(args: readonly string[], options?: RunOptions): Promise<Finished>;
  /** Takes up so many bytes, or as many as there are. */
  fill(bytes: number): Promise<void>;
  /** Gives back what `fill` took. */
  free(): Promise<void>;
  setReadOnly(readOnly: boolean): Promise<void>;
  remove(): Promise<void>;
}

export async function makeSmallDisk(sandbox: Sandbox, megabytes: number): Promise<SmallDisk> {
  const folder = join(sandbox.folder, 'small');
  mkdirSync(folder);
  const owner = serviceAccount();
  const shell = new Shell(
    owner === undefined ? ['unshare', '-U', '--map-current-user', '--keep-caps', '-m', 'sh'] : ['sh'],
  );
  const inside = owner === undefined ? ['nsenter', '--preserve-credentials', '-U', '-m', '-t', String(shell.pid)] : [];
  await shell.run(`mount -t tmpfs -o size=${megabytes}m,mode=755 tmpfs '${folder}'`);
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  return {
    folder,
    inside,
    async manage(args, more = {}) {
      return await sandbox.manage(args, { inside, ...more });
    },
    fill: async (bytes) => await shell.run(`head -c ${bytes} /dev/zero > '${folder}/ballast' 2>/dev/null || true`),
    free: async () => await shell.run(`rm -f '${folder}/ballast'`),
    setReadOnly: async (readOnly) => await shell.run(`mount -o remount,${readOnly ? 'ro' : 'rw'} '${folder}'`),
    async remove() {
      await shell.run(`umount '${folder}'`);
      shell.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A shell that is given one command after the other: only it keeps the powers over its namespace that unshare gave. */
class Shell {
  private readonly child: ChildProcessWithoutNullStreams;

  constructor([program = '', ...args]: string[]) {
    this.child = spawn(program, args);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async run(command: string): Promise<void> {
    const answered = once(this.child.stdout, 'data') as Promise<[Buffer]>;
    this.child.stdin.write(`${command}; echo $?\n`);
    const [status] = await answered;
    if (status.toString().trim() !== '0') throw new Error(`${command}: exit status ${status.toString()}`);
  }

  end(): void {
    this.child.stdin.end();
  }
}

import { beginProgram, type Finished, manageProgram, type Sandbox, serviceAccount } from './cli.ts';

/**
 * As the sandbox's `manage`, on a machine that has not this program: in a mount namespace of its own something that is no
 * program lies over it. Root makes the namespace; a plain user makes one with powers over nothing else.
 */
export async function manageWithout(sandbox: Sandbox, program: string, args: readonly string[]): Promise<Finished> {
  const powers = serviceAccount() === undefined ? ['-U', '--map-current-user', '--keep-caps'] : [];
  const script = 'mount --bind /dev/null "$1" && shift && exec "$@"';
  const inside = ['-m', 'sh', '-c', script, 'sh', program, manageProgram, ...args];
  const env = { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host };
  return await beginProgram('unshare', [...powers, ...inside], { cwd: sandbox.folder, env }).finished;
}

import { existsSync } from 'node:fs';
import { describe, it } from '@jest/globals';
import { beginProgram, type Finished, hasAllPrograms, manageProgram, type Sandbox, serviceAccount } from './cli.ts';

/**
 * `describe` for what PostgreSQL's client programs do. Where the tested PostgreSQL has none (see `hasAllPrograms`), what is
 * tested in the place of each block is what the tool says then.
 */
export function describeWithPrograms(refusal: () => Promise<void>): (name: string, tests: () => void) => void {
  const instead = (): void => it('is refused where its programs are not there, which says what to install', refusal);
  return (name, tests) => describe(name, hasAllPrograms() ? tests : instead);
}

/**
 * As the sandbox's `manage`, on a machine that has not this program: in a mount namespace of its own something that is no
 * program lies over it. Root makes the namespace; a plain user makes one with powers over nothing else.
 */
export async function manageWithout(sandbox: Sandbox, program: string, args: readonly string[]): Promise<Finished> {
  if (!existsSync(program)) return await sandbox.manage(args);
  const powers = serviceAccount() === undefined ? ['-U', '--map-current-user', '--keep-caps'] : [];
  const script = 'mount --bind /dev/null "$1" && shift && exec "$@"';
  const inside = ['-m', 'sh', '-c', script, 'sh', program, manageProgram, ...args];
  const env = { PG_MANAGE_ROOT: sandbox.root, PG_MANAGE_HOST: sandbox.host };
  return await beginProgram('unshare', [...powers, ...inside], { cwd: sandbox.folder, env }).finished;
}

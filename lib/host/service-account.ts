import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { AppError } from '../errors.ts';

/**
 * Makes the account that servers run as, the way packages of PostgreSQL make it: an account of the system that nobody logs
 * in to, with a group of its own. Only root can. One that another process has just made is as good.
 * @throws NO_SERVICE_ACCOUNT where this system has no useradd or refuses
 */
export function makeServiceAccount(name: string): void {
  const groups = readFileSync('/etc/group', 'utf8').split('\n');
  const group = groups.some((row) => row.startsWith(`${name}:`)) ? ['--gid', name] : ['--user-group'];
  const place = ['--no-create-home', '--home-dir', '/var/lib/postgresql', '--shell', '/usr/sbin/nologin'];
  const args = ['--system', ...group, ...place, '--comment', 'PostgreSQL administrator', name];
  try {
    execFileSync('useradd', args, { stdio: 'pipe', timeout: 10_000, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });
  } catch (error) {
    const { status, code, stderr } = error as { status?: number | null; code?: string; stderr?: Buffer };
    const nameIsTaken = 9; // useradd(8)
    if (status === nameIsTaken) return;
    const why = code === 'ENOENT' ? 'there is no useradd here' : stderr?.toString().trim() || `it ended with ${status}`;
    throw new AppError('NO_SERVICE_ACCOUNT', `there is no account "${name}", and none could be made: ${why}`, {
      hint: 'make one by the means of this system, or name another with --run-as USER',
      cause: error,
    });
  }
}

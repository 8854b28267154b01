import { homedir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../host/programs.ts';
import { calledByRoot } from '../host/users.ts';
import { completion } from './completion.ts';
import { manual } from './manual.ts';

/**
 * Completion and manual page where the shells of this machine look for them: everybody's when root asks, else the caller's
 * own. zsh has no file for a program with a dot in its name; it is taught by `eval "$(./manage.ts completion zsh)"`.
 */
export async function shellFiles(version: string): Promise<{ path: string; text: string }[]> {
  const share = calledByRoot() ? '/usr/local/share' : (process.env['XDG_DATA_HOME'] ?? join(homedir(), '.local/share'));
  const places = {
    bash: join(share, 'bash-completion/completions/manage.ts'),
    fish: join(share, 'fish/vendor_completions.d/manage.ts.fish'),
  } as const;
  const shells = (['bash', 'fish'] as const).filter((shell) => findProgram(shell) !== undefined);
  const completions = shells.map(async (shell) => ({ path: places[shell], text: `${await completion(shell)}\n` }));
  const page = { path: join(share, 'man/man1/pg-manage.1'), text: `${await manual(version)}\n` };
  return [...(await Promise.all(completions)), page];
}

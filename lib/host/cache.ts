import { statSync } from 'node:fs';
import { join } from 'node:path';
import { ensureFolder } from './folders.ts';
import { calledByRoot, dataOwner } from './users.ts';

/**
 * A folder for what can be made again at any time, of the account that owns the data: in XDG's place for it, made when it is
 * missing. Undefined where there can be none (an account without a home of its own, a full disk), or none that only it writes.
 */
export function cacheFolder(name: string): string | undefined {
  const { home, uid } = dataOwner();
  const wished = calledByRoot() ? undefined : process.env['XDG_CACHE_HOME'];
  const ours = join(wished?.startsWith('/') ? wished : join(home, '.cache'), 'pg-manage');
  try {
    // Root could make a folder in `/` or `/nonexistent` too.
    if (calledByRoot() && statSync(home).uid !== uid) return undefined;
    for (const folder of [ours, join(ours, name)]) {
      ensureFolder(folder);
      const { uid: owner, mode } = statSync(folder);
      if (owner !== uid || (mode & 0o022) !== 0) return undefined;
    }
    return join(ours, name);
  } catch {
    return undefined;
  }
}

import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { isProgram } from '../host/programs.ts';
import { clientFolders, type Installation } from './installations.ts';

/** The pg_receivewal of a server's own major. @throws NO_PG_RECEIVEWAL */
export function receivewalProgram(installation: Pick<Installation, 'bindir' | 'major'>): string {
  const found = clientFolders(installation)
    .map((folder) => join(folder, 'pg_receivewal'))
    .find(isProgram);
  if (found !== undefined) return found;
  const { major } = installation;
  throw new AppError('NO_PG_RECEIVEWAL', `there is no pg_receivewal of PostgreSQL ${major} on this machine`, {
    hint: `install it with: apt-get install postgresql-client-${major} — --archive command needs none`,
  });
}

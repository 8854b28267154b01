import { AppError } from '../errors.ts';
import { findProgram, run } from '../host/programs.ts';

export const poolModes = ['session', 'transaction'] as const;
/** When a server's connection goes back to the pool: when the client leaves, or after each transaction. */
export type PoolMode = (typeof poolModes)[number];

export interface PoolerProgram {
  path: string;
  /** As it says itself: `1.18.0`. */
  version: string;
}

/** The PgBouncer of this machine. @throws NO_PGBOUNCER */
export async function findPgbouncer(signal: AbortSignal): Promise<PoolerProgram> {
  const path = findProgram('pgbouncer');
  if (path === undefined) {
    throw new AppError('NO_PGBOUNCER', 'there is no pgbouncer on this machine', {
      hint: 'apt-get install pgbouncer — its own service is not needed: systemctl disable --now pgbouncer',
    });
  }
  const { stdout } = await run(path, ['--version'], { signal, timeoutMs: 10_000 });
  return { path, version: parsePgbouncerVersion(stdout) };
}

/** Reads `PgBouncer 1.18.0` (before 1.8 `pgbouncer version 1.7`). @throws NO_PGBOUNCER for anything else */
export function parsePgbouncerVersion(said: string): string {
  const version = /^pgbouncer\s+(?:version\s+)?(\d+\.\d+(?:\.\d+)?)/i.exec(said)?.[1];
  if (version !== undefined) return version;
  throw new AppError('NO_PGBOUNCER', `what is called pgbouncer here says "${said.split('\n')[0] ?? ''}"`, {
    hint: 'apt-get install --reinstall pgbouncer',
  });
}

/** From this version on a pooler carries named prepared statements from one server connection to the next. */
const statementsSince = 21;

/** Whether clients may use prepared statements, as most drivers do by themselves, while transactions share connections. */
export function carriesStatements(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 1 || (major === 1 && minor >= statementsSince);
}

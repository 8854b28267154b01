import { AppError } from '../errors.ts';
import { carriesStatements, type PoolMode } from './program.ts';

/** What a server allows, as it says itself. */
export interface PoolerFacts {
  maxConnections: number;
  /** superuser_reserved_connections and reserved_connections together: no client of a pooler may have those. */
  reserved: number;
  /** Those that clients may connect to, the instance's own first. */
  databases: readonly string[];
  /** PgBouncer's version. */
  version: string;
  /** How many files and sockets one process may have open. */
  openFiles: number;
}

export interface PoolerWishes {
  mode?: PoolMode | undefined;
  /** Server connections for the clients of each database. */
  poolSize?: number | undefined;
}

export interface Pool {
  database: string;
  /** Server connections that clients of one role may have. */
  poolSize: number;
  /** Server connections in all, the one that looks up secrets among them (max_db_connections). */
  limit: number;
}

export interface PoolerPlan {
  mode: PoolMode;
  modeReason: string;
  pools: Pool[];
  /** The most connections that the pooler will ever have to the server. */
  serverConnections: number;
  /** Slots that stay free of it: for migrations, psql, and whoever comes without the pooler. */
  directConnections: number;
  maxClients: number;
  warnings: string[];
}

/** PgBouncer asks for the secret of a role who logs in over a connection of its own to that database. */
const lookupConnections = 1;

/** More clients than any application of one host has; each costs the pooler a few kilobytes. */
const mostClients = 1000;

/**
 * Divides the slots that a server's reserved ones leave: a tenth (two to ten) stays free for direct connections, the rest goes
 * to the databases in equal parts. PgBouncer knows no limit over all databases (its issue 103), so each gets one of its own
 * (max_db_connections), and their sum is the proof: it is never above what is left.
 * @throws POOLER_BUDGET when the databases, or the pools wished for, do not fit
 */
export function planPooler(facts: PoolerFacts, wishes: PoolerWishes): PoolerPlan {
  const { maxConnections, reserved, openFiles } = facts;
  const databases = facts.databases.filter(isNameable);
  if (databases.length === 0) throw noDatabase(facts);
  const directConnections = Math.min(10, Math.max(2, Math.ceil((maxConnections - reserved) / 10)));
  const left = Math.max(0, maxConnections - reserved - directConnections);
  const share = Math.floor(left / databases.length);
  const poolSize = wishes.poolSize ?? share - lookupConnections;
  const limit = poolSize + lookupConnections;
  if (poolSize < 1 || limit * databases.length > left) {
    throw doesNotFit({ ...facts, databases }, limit, left, directConnections);
  }
  const serverConnections = limit * databases.length;
  const maxClients = Math.min(mostClients, openFiles - serverConnections - 64);
  const { warnings, ...mode } = modeFor(facts.version, wishes.mode);
  return {
    ...mode,
    warnings: [...warnings, ...facts.databases.filter((name) => !isNameable(name)).map(leftOut)],
    pools: databases.map((database) => ({ database, poolSize, limit })),
    serverConnections,
    directConnections: maxConnections - reserved - serverConnections,
    maxClients: Math.max(serverConnections, maxClients),
  };
}

/** What PgBouncer's configuration can name: quoting does not help there (its issue 971). `pgbouncer` is its administration. */
function isNameable(database: string): boolean {
  return /^[A-Za-z0-9_.-]+$/.test(database) && database !== 'pgbouncer';
}

function leftOut(database: string): string {
  return `PgBouncer cannot name the database "${database}" in its configuration: clients of it must connect direct`;
}

function noDatabase({ databases }: PoolerFacts): AppError {
  const names = databases.map((name) => `"${name}"`).join(', ') || 'none';
  return new AppError('POOLER_FAILED', `there is no database that a pooler could serve (there are: ${names})`, {
    hint: 'PgBouncer takes names of letters, digits, _ . and - only',
  });
}

/** Transactions share connections only where that breaks no client that prepares statements. */
function modeFor(version: string, wanted: PoolMode | undefined) {
  if (carriesStatements(version)) {
    const mode: PoolMode = wanted ?? 'transaction';
    const modeReason = `PgBouncer ${version} carries prepared statements between server connections`;
    return { mode, modeReason: wanted === undefined ? modeReason : 'asked for', warnings: [] };
  }
  const why = `PgBouncer ${version} loses prepared statements between transactions (1.21 carries them)`;
  if (wanted !== 'transaction')
    return { mode: 'session' as const, modeReason: wanted === undefined ? why : 'asked for', warnings: [] };
  const warning = `${why}: pool mode transaction is for clients that prepare none`;
  return { mode: 'transaction' as const, modeReason: 'asked for', warnings: [warning] };
}

function doesNotFit(
  { databases, maxConnections, reserved }: PoolerFacts,
  limit: number,
  left: number,
  direct: number,
): AppError {
  const count = databases.length;
  const each = Math.max(limit, lookupConnections + 1);
  const sum = `${maxConnections} connections less ${reserved} reserved and ${direct} for direct use leave ${left}`;
  const needed = `${count} database${count === 1 ? '' : 's'} × ${each} (one of them to look up secrets)`;
  const fits = Math.floor(left / count) - lookupConnections;
  return new AppError('POOLER_BUDGET', `the pools do not fit: ${sum}, ${needed} are ${count * each}`, {
    hint:
      fits >= 1
        ? `ask for what is left: --pool-size ${fits}`
        : 'raise max_connections (postgresql.conf, then --action restart), or drop databases that nobody uses',
    data: { maxConnections, reserved, left, needed: count * each },
  });
}

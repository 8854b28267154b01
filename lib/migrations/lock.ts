import { AppError } from '../errors.ts';
import { poll } from '../host/wait.ts';
import type { Client } from '../postgres/sql.ts';
import type { Task } from '../task.ts';

/**
 * The key of the advisory lock: the ASCII of "pg_manag", one constant for all, because the server keeps these keys for each
 * database apart. pg_locks shows its upper half as classid, its lower half as objid and 1 as objsubid.
 */
const key = 0x70675f6d616e6167n;
const inPgLocks = `l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.classid = ${key >> 32n} AND l.objid = ${key & 0xffffffffn}
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`;

/** A second key, taken for one transaction: whoever still has it is still in that transaction. */
const transactionKey = key + 1n;

/** The session that has the lock; what its owner does not let us see is null. */
export interface LockHolder {
  pid: number;
  applicationName: string | null;
  /** When that session connected, ISO-8601 UTC: a migrator takes the lock right after. */
  since: string | null;
}

/**
 * Runs `work` while this session holds the migration lock of its database. A session lock on the very connection that runs
 * the SQL: a lock held elsewhere would block our own CREATE INDEX CONCURRENTLY (flyway#3497), and a *waiting*
 * pg_advisory_lock holds a snapshot that the holder's waits for (flyway#1654), so the try-lock is polled instead.
 * @throws MIGRATION_LOCKED naming the holder when `lockTimeoutMs` has passed
 */
export async function withMigrationLock<T>(
  task: Task,
  client: Client,
  lockTimeoutMs: number,
  work: () => Promise<T>,
): Promise<T> {
  await take(task, client, lockTimeoutMs);
  let value: T;
  try {
    value = await work();
  } catch (error) {
    // Closing the connection frees it as well; this is only sooner, and must not hide what went wrong.
    await release(client).catch(() => false);
    throw error;
  }
  // The server answers false, not an error, when the lock is on another session: what a pooler between makes of it.
  if (!(await release(client))) {
    task.warn('the migration lock was lost before the end: connect to the server itself, not through a pooler');
  }
  return value;
}

/** SQL that marks the transaction it runs in, for `stillOursSql`. */
export const markTransactionSql = `SELECT pg_catalog.pg_advisory_xact_lock(${transactionKey})`;

/** What `stillOursSql` says in its error. */
export const lostLock = 'pg-manage: the migration lock was lost';
export const endedTransaction = 'pg-manage: the transaction has ended';

/**
 * SQL that fails where this session has not the migration lock any more (a file may have freed it, a pooler may have changed
 * sessions under us) or, after `markTransactionSql`, where this is another transaction than the marked one. It fails by
 * reading words as a number: SQL itself has no RAISE.
 */
export function stillOursSql({ marked }: { marked: boolean }): string {
  const missing = (of: bigint): string => `pg_catalog.count(*) FILTER (WHERE l.objid = ${of & 0xffffffffn}) = 0`;
  const ended = marked ? `WHEN ${missing(transactionKey)} THEN '${endedTransaction}' ` : '';
  return `SELECT CASE ${ended}WHEN ${missing(key)} THEN '${lostLock}' ELSE '1' END::pg_catalog.int4
    FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid()
      AND l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = ${key >> 32n}`;
}

async function take(task: Task, client: Client, lockTimeoutMs: number): Promise<void> {
  let told = false;
  const taken = await poll(
    async () => {
      if (await tryLock(client)) return true;
      const holder = told ? undefined : await findHolder(client);
      if (holder !== undefined) {
        told = true;
        task.warn(`waiting for another migration of this database: ${describe(holder)}`);
      }
      return undefined;
    },
    { signal: task.signal, timeoutMs: lockTimeoutMs, minMs: 20, maxMs: 500 },
  );
  if (taken === undefined) throw locked(await findHolder(client), lockTimeoutMs);
}

async function tryLock(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(`SELECT pg_catalog.pg_try_advisory_lock(${key}) AS taken`);
  return rows[0]?.taken === true;
}

async function release(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ freed: boolean }>(`SELECT pg_catalog.pg_advisory_unlock(${key}) AS freed`);
  return rows[0]?.freed === true;
}

async function findHolder(client: Client): Promise<LockHolder | undefined> {
  const { rows } = await client.query<Omit<LockHolder, 'since'> & { since: Date | null }>(
    `SELECT l.pid, a.application_name AS "applicationName", a.backend_start AS since
     FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE ${inPgLocks}`,
  );
  const [holder] = rows;
  return holder && { ...holder, since: holder.since?.toISOString() ?? null };
}

function locked(holder: LockHolder | undefined, lockTimeoutMs: number): AppError {
  const who = holder === undefined ? 'another session, which has just freed it' : describe(holder);
  return new AppError(
    'MIGRATION_LOCKED',
    `the migration lock of this database was not free for ${lockTimeoutMs / 1000} s: it is held by ${who}`,
    {
      hint: 'let that run end, or wait longer with --lock-timeout SECONDS',
      ...(holder === undefined ? {} : { data: { holder } }),
    },
  );
}

function describe({ pid, applicationName, since }: LockHolder): string {
  const name = applicationName ? ` (${applicationName})` : '';
  return `pid ${pid}${name}${since === null ? '' : `, connected since ${since}`}`;
}

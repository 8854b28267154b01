/** What every call may say; any option of the action too, in camel case: `maxConnections`, `migrationsDir`. */
export interface Options {
  /** Holds instances/ and backups/; else PG_MANAGE_ROOT. */
  root?: string;
  backups?: string;
  /** Seconds to wait for the goal; running out kills nothing. */
  timeout?: number;
  /** Seconds to wait for another operation on the same thing. */
  lockTimeout?: number;
  pgVersion?: number;
  bindir?: string;
  runAs?: string;
  dryRun?: boolean;
  /** Ends the call at its next safe point; what was begun is undone or resumable. */
  signal?: AbortSignal;
  env?: Record<string, string>;
  [option: string]: unknown;
}

export type InstanceState = 'creating' | 'running' | 'starting' | 'stopped' | 'crashed' | 'broken';
export type BackupState = 'writing' | 'complete' | 'verified' | 'failed';

export interface Instance {
  name: string;
  id: string;
  state: InstanceState;
  port: number;
  version: number;
  template: string;
  dataDirectory: string;
}

export interface Status extends Instance {
  connections: { used: number | null; max: number | null };
  memory: { committedBytes: number | null };
  lastBackup: { id: string; state: BackupState; finishedAt: string | null } | null;
  lastVerifiedBackup: { id: string; verifiedAt: string; restoreSeconds: number } | null;
}

/** Holds the password. */
export interface Connection {
  host: string;
  port: number;
  database: string;
  username: string;
  password: string;
  url: string;
}

export interface Backup {
  id: string;
  state: BackupState;
  startedAt: string;
  finishedAt: string;
  sizeBytes: number;
  startLsn: string;
  stopLsn: string;
  verification: {
    state: string;
    restoreSeconds: number;
    recoveredToLsn: string;
    checks: { name: string; ok: boolean; detail: string }[];
  } | null;
}

export interface Restored {
  name: string;
  state: InstanceState;
  port: number;
  backupId: string;
  recoveredToLsn: string;
  recoveredToTime: string | null;
  timeline: number;
}

export interface Migrated {
  applied: { version: string; name: string; seconds: number }[];
  pending: { version: string; name: string }[];
  current: string | null;
}

/** What the command said instead of doing it; `code` is one of the error codes in the README. */
export class ManageError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly exitCode: number;
  readonly data: unknown;
}

/**
 * Runs any action and gives the `data` of its answer; a list of answers where the selector may mean several.
 * @throws ManageError
 */
export function manage(action: string, options?: Options & { instance?: string | readonly string[] }): Promise<unknown>;

export function createInstance(
  name: string,
  options?: Options & { template?: string; port?: number; maxConnections?: number; memory?: string },
): Promise<Instance>;
export function startInstance(name: string, options?: Options): Promise<Instance>;
export function stopInstance(name: string, options?: Options & { immediate?: boolean }): Promise<Instance>;
export function destroyInstance(name: string, options?: Options): Promise<Record<string, unknown>>;
export function statusOf(name: string, options?: Options): Promise<Status>;
export function listInstances(options?: Options): Promise<Instance[]>;
export function connectionOf(name: string, options?: Options): Promise<Connection>;
export function migrate(name: string, options?: Options & { migrationsDir?: string; to?: string }): Promise<Migrated>;
/** Resolves when a server was started from the backup and answered, unless `noVerify`. */
export function backup(name: string, options?: Options & { noVerify?: boolean }): Promise<Backup>;
export function listBackups(name: string, options?: Options): Promise<Backup[]>;
export function verifyBackup(name: string, options?: Options & { backup?: string }): Promise<Backup>;
export function restore(
  name: string,
  options?: Options & { as?: string; toTime?: string | Date; toLsn?: string; toName?: string; toXid?: string },
): Promise<Restored>;

import type { Privileges } from '../databases/privileges.ts';
import type { Port } from '../host/ports.ts';
import type { InstanceName } from '../instances/names.ts';
import type { PoolMode } from '../pooler/program.ts';
import type { Scheduler } from '../schedule/system.ts';
import type { Wishes } from '../tuning/plan.ts';

/** What a fleet file says: how instances and the schedule of a root are to be. */
export interface Fleet {
  instances: DeclaredInstance[];
  /** `any`: however it is; undefined: there is to be none. */
  schedule: DeclaredSchedule | Any | undefined;
  /** Whether instances come back with the machine; undefined where that may be as it is. */
  autostart: boolean | undefined;
}

/** The word for what may be as it is: neither changed nor pruned. */
export const any = 'any';
export type Any = typeof any;

export interface DeclaredInstance {
  name: InstanceName;
  state: 'running' | 'stopped';
  /** A name, or the absolute path of a file. */
  template: string;
  /** Of PostgreSQL; undefined where any will do. */
  major: number | undefined;
  /** Undefined where any will do, and where one is held it is kept. */
  port: Port | undefined;
  portRange: string | undefined;
  tuning: Wishes;
  overcommit: boolean;
  /** How WAL is archived: whole segments, or also as it is written. */
  archive: 'command' | 'streaming';
  /** Its own role and database, where they are not to be called after it. */
  role: string | undefined;
  database: string | undefined;
  locale: string | undefined;
  /** Absolute paths. */
  contents: DeclaredContents;
  /** Undefined where there is to be none. */
  pooler: DeclaredPooler | undefined;
  databases: DeclaredDatabase[] | Any;
  users: DeclaredUser[] | Any;
}

export interface DeclaredContents {
  migrations: string | undefined;
  seeds: string | undefined;
}

/** What is undefined may be as it is. */
export interface DeclaredPooler {
  mode: PoolMode | undefined;
  size: number | undefined;
  port: Port | undefined;
}

export interface DeclaredDatabase {
  name: string;
  /** Undefined for the instance's own role. */
  owner: string | undefined;
  contents: DeclaredContents;
}

export interface DeclaredUser {
  name: string;
  memberOf: string[];
  /** By database; undefined for the instance's own. */
  privileges: { database: string | undefined; words: Privileges }[];
}

export interface DeclaredSchedule {
  selector: string;
  backup: string | undefined;
  prove: string | undefined;
  keep: number | undefined;
  retentionDays: number | undefined;
  jitterSeconds: number;
  /** The text of the file that holds the address of the service to tell; undefined where that may be as it is. */
  ping: string | undefined;
  scheduler: Scheduler | undefined;
}

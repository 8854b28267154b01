import type { Bytes } from './sizes.ts';

/** What this host has for all instances together. */
export interface HostFacts {
  /** The least of the machine's memory and every control group's limit that we live under. */
  memoryBytes: Bytes;
  cores: number;
}

/** What an instance is for; decides WAL sizes and parallelism. */
export const workloads = ['mixed', 'web', 'oltp', 'read-heavy', 'dev', 'test'] as const;
export type Workload = (typeof workloads)[number];

/** A share of the host's memory (0.05 for `5%`), or a size. */
export type MemoryWish = { share: number } | { bytes: Bytes };

export interface Template {
  name: string;
  /** The file it was read from. */
  path: string;
  description: string;
  workload: Workload;
  memory: MemoryWish;
  /** With less it is not of the use that it is meant for: refused rather than squeezed further. */
  least?: Bytes;
  /** max_connections. */
  connections: number;
  /** reserved_connections, PostgreSQL 16 and later. */
  reserved?: number;
  /** False where a crash may lose the data: nothing but tests. */
  durable: boolean;
  /** Values as they stand in postgresql.conf, unquoted, by setting. */
  settings: Record<string, string>;
  /** The comment beside a setting, where there is one. */
  comments: Record<string, string>;
  /** The line of the file on which a setting stands. */
  lines: Record<string, number>;
}

/** Another instance of this host, running or not: what it may take is not there for a new one. */
export interface Neighbour {
  name: string;
  committedBytes: number;
  /** What it may take at a busy moment, where that was counted. */
  stressBytes?: number | undefined;
}

export interface Wishes {
  /** --max-connections */
  maxConnections?: number;
  /** --memory */
  memoryBytes?: number;
  /** --set NAME=VALUE */
  settings?: Record<string, string>;
}

export interface PlanInput {
  host: HostFacts;
  template: Template;
  /** The server's major version. */
  major: number;
  others: readonly Neighbour[];
  wishes: Wishes;
  /** What all instances may commit, of the host's memory: 0.8 for 80 %. */
  budgetShare: number;
  /** The operator's word that this instance may pass the budget. */
  overcommit: boolean;
  /** Whether a receiver streams its WAL into the archive (`--archive streaming`). */
  streaming?: boolean;
  /** Names that our own table lacks and this very server knows. */
  vouched?: ReadonlySet<string>;
  /** What the operator has written into the instance's postgresql.conf: it comes after the plan, and wins. */
  own?: Readonly<Record<string, OwnSetting>>;
}

export interface OwnSetting {
  value: string;
  /** Where it stands, in words. */
  place: string;
}

export interface PlannedSetting {
  name: string;
  /** As it stands in postgresql.conf, unquoted. */
  value: string;
  /** Who decided, or the formula in words with its numbers; one line. */
  reason: string;
  /** Where the operator's own line stands that wins over the plan: the plan's file leaves the setting out. */
  ownPlace?: string;
}

export interface Plan {
  settings: PlannedSetting[];
  maxConnections: number;
  /** What this instance may commit. */
  memoryBytes: number;
  /** The part of what it commits that is shared memory: by formula, or as the server itself reports it. */
  sharedMemoryBytes: number;
  /** What it takes before any query runs: shared memory, every connection's process, autovacuum. */
  committedBytes: number;
  /** What it may take while its connections sort and hash. Not limited, only warned of. */
  stressBytes: number;
  /** What all instances of the host may commit. */
  budgetBytes: number;
  othersBytes: number;
  warnings: string[];
}

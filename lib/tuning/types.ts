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
}

/** Another instance of this host, running or not: what it may take is not there for a new one. */
export interface Neighbour {
  name: string;
  committedBytes: number;
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
}

export interface PlannedSetting {
  name: string;
  /** As it stands in postgresql.conf, unquoted. */
  value: string;
  /** Who decided, or the formula in words with its numbers; one line. */
  reason: string;
}

export interface Plan {
  settings: PlannedSetting[];
  maxConnections: number;
  /** What this instance may commit. */
  memoryBytes: number;
  /** What it takes before any query runs: shared memory, every connection's process, autovacuum. */
  committedBytes: number;
  /** What it may take while its connections sort and hash. Not limited, only warned of. */
  stressBytes: number;
  /** What all instances of the host may commit. */
  budgetBytes: number;
  othersBytes: number;
  warnings: string[];
}

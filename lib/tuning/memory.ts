import { MB } from './sizes.ts';

/**
 * What of a server's configuration decides how much memory it commits. A *slot* is a place in the tables that a server
 * makes at start for every process it may ever have.
 */
export interface ServerShape {
  major: number;
  maxConnections: number;
  sharedBuffersBytes: number;
  walBuffersBytes: number;
  autovacuumWorkers: number;
  autovacuumWorkMemBytes: number;
  /** Background workers, WAL senders, spare autovacuum slots, prepared transactions. */
  otherSlots: number;
  locksPerTransaction: number;
  preloadedLibraries: number;
}

/**
 * What one connection's process costs before it sorts anything, its page tables aside: measured under pgbench (docs/memory.md),
 * and what anarazel found ("Measuring the Memory Overhead of a Postgres Connection", 2020). Thousands of tables make it more.
 */
export const backendBytes = 2 * MB;

/** Every process maps all of shared_buffers in the end: 8 bytes of page table for each page of 4 kB. */
const pageTableShare = 8 / 4096;

/**
 * Shared memory as `postgres -C shared_memory_size` reports it for 15 to 18, too high by 2 MB or 1 %: shared_buffers with their
 * headers (and from 17 the caches that grow with them, doc "transaction_buffers"), a slot with its share of the lock table
 * for every process (from 18 also its asynchronous I/O), and the rest.
 */
export function sharedMemoryBytes(shape: ServerShape): number {
  return (
    sharedBuffersFactor(shape.major) * shape.sharedBuffersBytes + fixedBytes(shape) + slotBytes(shape) * slots(shape)
  );
}

/** What the server takes before any query runs, in bytes; the figure that is summed against the host's budget. */
export function committedBytes(shape: ServerShape): number {
  return Math.ceil(exactCommitted(shape));
}

function exactCommitted(shape: ServerShape): number {
  const { maxConnections, autovacuumWorkers, autovacuumWorkMemBytes } = shape;
  return (
    sharedMemoryBytes(shape) + maxConnections * connectionBytes(shape) + autovacuumWorkers * autovacuumWorkMemBytes
  );
}

/** The largest shared_buffers with which the server commits no more than `limitBytes`; may be negative. */
export function sharedBuffersWithin(limitBytes: number, shape: ServerShape): number {
  const perByte = sharedBuffersFactor(shape.major) + shape.maxConnections * pageTableShare;
  return (limitBytes - exactCommitted({ ...shape, sharedBuffersBytes: 0 })) / perByte;
}

/** The most connections with which the server commits no more than `limitBytes`; may be negative. */
export function connectionsWithin(limitBytes: number, shape: ServerShape): number {
  const perConnection = connectionBytes(shape) + slotBytes(shape);
  return Math.floor((limitBytes - exactCommitted({ ...shape, maxConnections: 0 })) / perConnection);
}

/** What one connection costs with these shared_buffers, in bytes. */
export function connectionBytes({ sharedBuffersBytes }: Pick<ServerShape, 'sharedBuffersBytes'>): number {
  return backendBytes + sharedBuffersBytes * pageTableShare;
}

function sharedBuffersFactor(major: number): number {
  return major >= 17 ? 1.036 : 1.027;
}

function slotBytes({ major, locksPerTransaction }: ServerShape): number {
  return (major >= 18 ? 58 : 25) * 1024 + 400 * locksPerTransaction;
}

function slots({ maxConnections, autovacuumWorkers, otherSlots }: ServerShape): number {
  return maxConnections + autovacuumWorkers + otherSlots;
}

/** 2 MB for a library is what pg_stat_statements takes with its default of 5000 statements. */
function fixedBytes({ walBuffersBytes, preloadedLibraries }: ServerShape): number {
  return 4 * MB + walBuffersBytes + preloadedLibraries * 2 * MB;
}

/** Sorts and hashes that one busy connection runs at a time, on the whole. */
const nodesPerQuery = 2;

/** One connection in four is busy with something that sorts or hashes. */
export function busyConnections(maxConnections: number): number {
  return Math.ceil(maxConnections / 4);
}

/** How many times work_mem may be in use at once; hash tables take `hashMultiplier` times as much (doc "hash_mem_multiplier"). */
export function workMemUses(maxConnections: number, hashMultiplier: number): number {
  return busyConnections(maxConnections) * nodesPerQuery * Math.max(1, hashMultiplier);
}

export interface Stress {
  committedBytes: number;
  maxConnections: number;
  workMemBytes: number;
  hashMultiplier: number;
  parallelWorkers: number;
  maintenanceWorkMemBytes: number;
}

/** What the server may take at a busy moment: not a worst case, for which PostgreSQL has no limit. */
export function stressBytes(stress: Stress): number {
  const uses =
    workMemUses(stress.maxConnections, stress.hashMultiplier) + stress.parallelWorkers * stress.hashMultiplier;
  return Math.ceil(stress.committedBytes + uses * stress.workMemBytes + stress.maintenanceWorkMemBytes);
}

import { AppError } from '../errors.ts';
import { allowanceOf, budgetOf } from './budget.ts';
import { givenBytes, givenNumber, type Given } from './given.ts';
import { committedBytes, connectionBytes, connectionsWithin, sharedBuffersWithin, type ServerShape } from './memory.ts';
import { humanBytes, MB } from './sizes.ts';
import type { PlanInput } from './types.ts';

/** A server that fits into what it may commit. */
export interface Fit {
  /** What it may commit; `committedBytes(shape)` is at most this. */
  allowanceBytes: number;
  shape: ServerShape;
  maintenanceWorkMemBytes: number;
  workerProcesses: number;
}

/** With less, PostgreSQL starts but reads everything from the page cache. */
const leastSharedBuffers = 16 * MB;
/** Of the allowance: buffers beyond that would leave queries nothing, and the page cache holds the same pages anyway. */
const mostSharedBuffers = 0.4;
/** When a template's connections are lowered to fit, the buffers keep this share. */
const fairSharedBuffers = 0.2;
const leastConnections = 10;

const autovacuumShare = 0.06;
const walShare = 1 / 128;

/**
 * Decides connections and shared_buffers. Both grow with the allowance and never shrink: what is divided is exact, and only
 * the result is rounded down.
 * @throws MEMORY_BUDGET when what was asked for does not fit
 */
export function fitServer(input: PlanInput, given: Given, warnings: string[]): Fit {
  const wishedConnections = givenNumber(given, 'max_connections', 1);
  const connections = wishedConnections ?? input.template.connections;
  const fewest = Math.min(connections, leastConnections);
  const least = leastAllowance(input, given, { maxConnections: fewest, sharedBuffersBytes: leastSharedBuffers });
  const allowanceBytes = allowanceOf(input, least, warnings);
  const shape = { ...shapeFor(input, given, allowanceBytes), maxConnections: connections };

  const wishedBuffers = givenBytes(given, 'shared_buffers');
  const fair = Math.max(leastSharedBuffers, allowanceBytes * fairSharedBuffers);
  const needed = wishedBuffers ?? (wishedConnections === undefined ? fair : leastSharedBuffers);
  if (sharedBuffersWithin(allowanceBytes, shape) < needed) {
    shape.sharedBuffersBytes = needed;
    const fitting = connectionsWithin(allowanceBytes, shape);
    if (wishedConnections !== undefined || (wishedBuffers !== undefined && fitting < fewest)) {
      throw tooMuch(input, given, shape, allowanceBytes);
    }
    shape.maxConnections = Math.min(connections, Math.max(fewest, fitting));
    if (shape.maxConnections < connections) warnings.push(loweredWarning(input, shape.maxConnections, allowanceBytes));
  }
  shape.sharedBuffersBytes = wishedBuffers ?? roundDown(buffersFor(allowanceBytes, shape, connections, fair));
  const { maintenanceWorkMemBytes, workerProcesses } = besides(input, given, allowanceBytes);
  const maintenance = given.has('maintenance_work_mem') ? maintenanceWorkMemBytes : roundDown(maintenanceWorkMemBytes);
  return { allowanceBytes, shape: rounded(shape, given), maintenanceWorkMemBytes: maintenance, workerProcesses };
}

function buffersFor(allowanceBytes: number, shape: ServerShape, wanted: number, fair: number): number {
  const most = shape.maxConnections < wanted ? fair : allowanceBytes * mostSharedBuffers;
  return Math.max(leastSharedBuffers, Math.min(most, sharedBuffersWithin(allowanceBytes, shape)));
}

/** Everything but connections and shared_buffers, exact; an allowance of 0 gives the least of each. */
function shapeFor(input: PlanInput, given: Given, allowanceBytes: number): ServerShape {
  const { major } = input;
  const autovacuumWorkers = givenNumber(given, 'autovacuum_max_workers', 1) ?? 3;
  const autovacuumSlots = major >= 18 ? (givenNumber(given, 'autovacuum_worker_slots', 1) ?? 2 * autovacuumWorkers) : 0;
  const workMem = givenBytes(given, 'autovacuum_work_mem');
  const walBuffers = givenBytes(given, 'wal_buffers');
  const { maintenanceWorkMemBytes, workerProcesses } = besides(input, given, allowanceBytes);
  return {
    major,
    maxConnections: 0,
    sharedBuffersBytes: 0,
    // -1 lets the server take 1/32 of shared_buffers, at most one WAL segment of 16 MB.
    walBuffersBytes: walBuffers === -1 ? 16 * MB : (walBuffers ?? clamp(allowanceBytes * walShare, MB, 16 * MB)),
    autovacuumWorkers,
    // -1 means maintenance_work_mem.
    autovacuumWorkMemBytes:
      workMem === -1
        ? maintenanceWorkMemBytes
        : (workMem ?? clamp((allowanceBytes * autovacuumShare) / autovacuumWorkers, 4 * MB, 128 * MB)),
    otherSlots:
      workerProcesses +
      Math.max(0, autovacuumSlots - autovacuumWorkers) +
      (givenNumber(given, 'max_wal_senders') ?? 10) +
      (givenNumber(given, 'max_prepared_transactions') ?? 0),
    locksPerTransaction: givenNumber(given, 'max_locks_per_transaction', 10) ?? 64,
    preloadedLibraries: (given.get('shared_preload_libraries')?.value ?? '').split(',').filter((name) => name.trim())
      .length,
  };
}

function besides({ host }: PlanInput, given: Given, allowanceBytes: number) {
  const maintenance = givenBytes(given, 'maintenance_work_mem');
  return {
    maintenanceWorkMemBytes: maintenance ?? clamp(allowanceBytes / 16, 16 * MB, 512 * MB),
    // Parallel queries, logical replication and extensions share them; the server's default is 8.
    workerProcesses: givenNumber(given, 'max_worker_processes') ?? 8 + Math.max(0, Math.min(host.cores, 8) - 4),
  };
}

/** Whole megabytes read better, and less is always within the allowance. */
function rounded(shape: ServerShape, given: Given): ServerShape {
  return {
    ...shape,
    walBuffersBytes: given.has('wal_buffers') ? shape.walBuffersBytes : roundDown(shape.walBuffersBytes),
    autovacuumWorkMemBytes: given.has('autovacuum_work_mem')
      ? shape.autovacuumWorkMemBytes
      : roundDown(shape.autovacuumWorkMemBytes),
  };
}

/** The least allowance, in whole megabytes, that holds so many connections and buffers beside its shares for the rest. */
function leastAllowance(
  input: PlanInput,
  given: Given,
  wanted: Pick<ServerShape, 'maxConnections' | 'sharedBuffersBytes'>,
): number {
  let least = 0;
  for (;;) {
    // Ends: the shares have upper limits, and each round adds at least a megabyte.
    const needed = Math.ceil(committedBytes({ ...shapeFor(input, given, least), ...wanted }) / MB) * MB;
    if (needed <= least) return least;
    least = needed;
  }
}

function tooMuch(input: PlanInput, given: Given, shape: ServerShape, allowanceBytes: number): AppError {
  const { leftBytes, budgetBytes, othersBytes } = budgetOf(input);
  const { maxConnections, sharedBuffersBytes } = shape;
  const neededBytes = leastAllowance(input, given, { maxConnections, sharedBuffersBytes });
  const fewer = connectionsWithin(allowanceBytes, shape);
  const each = humanBytes(connectionBytes(shape));
  const what = `${maxConnections} connections (${each} each) with ${humanBytes(sharedBuffersBytes)} of shared_buffers`;
  const limit = `this instance may commit ${humanBytes(allowanceBytes)} of the ${humanBytes(leftBytes)} that are left`;
  const hint =
    neededBytes <= leftBytes
      ? `give it the memory: --memory ${neededBytes / MB}MB${fewer >= leastConnections ? ` — or ask for less: --max-connections ${fewer}` : ''}`
      : fewer >= leastConnections
        ? `ask for less: --max-connections ${fewer}`
        : 'ask for fewer connections or smaller shared_buffers';
  return new AppError('MEMORY_BUDGET', `${what} need ${humanBytes(neededBytes)}, but ${limit} of the host's budget`, {
    hint,
    data: { neededBytes, allowanceBytes, budgetBytes, othersBytes },
  });
}

function loweredWarning({ template }: PlanInput, connections: number, allowanceBytes: number): string {
  return (
    `template ${template.name} has ${template.connections} connections, but ${humanBytes(allowanceBytes)} hold ${connections}: ` +
    'more of them take more --memory'
  );
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

export function roundDown(sizeBytes: number): number {
  return Math.floor(sizeBytes / MB) * MB;
}

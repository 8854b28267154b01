import { committedBytes, type ServerShape, stressBytes } from './memory.ts';
import { MB, parseSize } from './sizes.ts';

/** The settings that tell the memory of a server as it is configured. */
export const memorySettings = [
  'max_connections',
  'shared_buffers',
  'wal_buffers',
  'autovacuum_max_workers',
  'autovacuum_work_mem',
  'maintenance_work_mem',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
  'shared_preload_libraries',
  'work_mem',
  'hash_mem_multiplier',
  'max_parallel_workers',
] as const;

/**
 * What a server with these settings commits, and may take at a busy moment; nothing is planned.
 * @param values as `postgres -C` prints them: bare numbers, in the unit of each setting
 */
export function memoryAsConfigured(major: number, values: ReadonlyMap<string, string>) {
  const number = (name: string, otherwise: number): number => Number(values.get(name) ?? otherwise);
  const size = (name: string, unit: number, otherwise: number): number => {
    const text = values.get(name) ?? '-1';
    return text.startsWith('-') ? otherwise : parseSize(text, unit);
  };
  const maintenanceWorkMemBytes = size('maintenance_work_mem', 1024, 64 * MB);
  const sharedBuffersBytes = size('shared_buffers', 8192, 128 * MB);
  const maxConnections = number('max_connections', 100);
  const shape: ServerShape = {
    major,
    maxConnections,
    sharedBuffersBytes,
    walBuffersBytes: size('wal_buffers', 8192, Math.min(sharedBuffersBytes / 32, 16 * MB)),
    autovacuumWorkers: number('autovacuum_max_workers', 3),
    autovacuumWorkMemBytes: size('autovacuum_work_mem', 1024, maintenanceWorkMemBytes),
    otherSlots:
      number('max_worker_processes', 8) + number('max_wal_senders', 10) + number('max_prepared_transactions', 0),
    locksPerTransaction: number('max_locks_per_transaction', 64),
    preloadedLibraries: (values.get('shared_preload_libraries') ?? '').split(',').filter((name) => name.trim()).length,
  };
  const committed = committedBytes(shape);
  const stress = stressBytes({
    committedBytes: committed,
    maxConnections,
    workMemBytes: size('work_mem', 1024, 4 * MB),
    hashMultiplier: number('hash_mem_multiplier', 1),
    parallelWorkers: number('max_parallel_workers', 8),
    maintenanceWorkMemBytes,
  });
  return { maxConnections, committedBytes: committed, stressBytes: stress };
}

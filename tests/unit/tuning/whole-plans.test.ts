import { expect, it } from '@jest/globals';
import { planInstance, type PlanInput } from '../../../lib/tuning/plan.ts';
import { bytes, GB } from '../../../lib/tuning/sizes.ts';
import { loadTemplate } from '../../../lib/tuning/templates.ts';

/** Whole plans as somebody would read them: a change of a formula shows here what it does to three hosts. */
const plans: [what: string, Partial<PlanInput>, figures: object, settings: string][] = [
  [
    'production beside nobody, 24 GB and 2 cores, PostgreSQL 15',
    { host: { memoryBytes: bytes(24 * GB), cores: 2 }, template: loadTemplate('production'), major: 15 },
    {
      maxConnections: 50,
      memoryBytes: 2_061_584_302,
      sharedMemoryBytes: 869_991_760,
      committedBytes: 1_178_019_152,
      stressBytes: 2_245_469_520,
      budgetBytes: 20_615_843_020,
      othersBytes: 0,
    },
    `
    max_connections = 50
    superuser_reserved_connections = 3
    shared_buffers = 786MB
    huge_pages = off
    work_mem = 16MB
    maintenance_work_mem = 122MB
    autovacuum_work_mem = 39MB
    effective_cache_size = 6649MB
    wal_buffers = 15MB
    min_wal_size = 256MB
    max_wal_size = 1GB
    checkpoint_completion_target = 0.9
    max_worker_processes = 8
    max_parallel_workers = 2
    max_parallel_workers_per_gather = 1
    max_parallel_maintenance_workers = 1
    autovacuum_max_workers = 3
    random_page_cost = 1.1
    effective_io_concurrency = 16
    default_statistics_target = 100
    log_min_duration_statement = 1s
    log_lock_waits = on
    log_temp_files = 64MB
    idle_in_transaction_session_timeout = 30min`,
  ],
  [
    'ecommerce beside another of 10 GB, 256 GB and 16 cores, PostgreSQL 18',
    {
      host: { memoryBytes: bytes(256 * GB), cores: 16 },
      template: loadTemplate('ecommerce'),
      major: 18,
      others: [{ name: 'a', committedBytes: 10 * GB }],
    },
    {
      maxConnections: 75,
      memoryBytes: 27_487_790_694,
      sharedMemoryBytes: 11_419_840_553,
      committedBytes: 13_590_276_137,
      stressBytes: 20_301_162_537,
      budgetBytes: 219_902_325_555,
      othersBytes: 10_737_418_240,
    },
    `
    max_connections = 75
    superuser_reserved_connections = 3
    reserved_connections = 2
    shared_buffers = 10485MB
    huge_pages = try
    work_mem = 64MB
    maintenance_work_mem = 512MB
    autovacuum_work_mem = 128MB
    effective_cache_size = 70220MB
    wal_buffers = 16MB
    min_wal_size = 512MB
    max_wal_size = 2GB
    checkpoint_completion_target = 0.9
    max_worker_processes = 12
    max_parallel_workers = 8
    max_parallel_workers_per_gather = 0
    max_parallel_maintenance_workers = 2
    autovacuum_max_workers = 3
    autovacuum_worker_slots = 6
    random_page_cost = 1.1
    effective_io_concurrency = 16
    io_method = worker
    io_workers = 3
    default_statistics_target = 150
    wal_compression = on
    log_min_duration_statement = 500ms
    log_lock_waits = on
    deadlock_timeout = 1s
    idle_in_transaction_session_timeout = 5min`,
  ],
  [
    'testing beside nobody, 2 GB and one core, PostgreSQL 13',
    { host: { memoryBytes: bytes(2 * GB), cores: 1 }, template: loadTemplate('testing'), major: 13 },
    {
      maxConnections: 50,
      memoryBytes: 536_870_912,
      sharedMemoryBytes: 231_708_869,
      committedBytes: 388_913_349,
      stressBytes: 564_025_541,
      budgetBytes: 1_717_986_918,
      othersBytes: 0,
    },
    `
    max_connections = 50
    superuser_reserved_connections = 3
    shared_buffers = 204MB
    huge_pages = off
    work_mem = 5MB
    maintenance_work_mem = 32MB
    autovacuum_work_mem = 10MB
    effective_cache_size = 623MB
    wal_buffers = 4MB
    min_wal_size = 80MB
    max_wal_size = 512MB
    checkpoint_completion_target = 0.9
    max_worker_processes = 8
    max_parallel_workers = 1
    max_parallel_workers_per_gather = 0
    max_parallel_maintenance_workers = 0
    autovacuum_max_workers = 3
    random_page_cost = 1.1
    effective_io_concurrency = 16
    fsync = off
    synchronous_commit = off
    full_page_writes = off`,
  ],
];

it.each(plans)('%s', (_, input, figures, expected) => {
  const base = { wishes: {}, budgetShare: 0.8, overcommit: false, others: [] };
  const { settings, ...rest } = planInstance({ ...base, ...input } as PlanInput);
  expect(settings.map(({ name, value }) => `${name} = ${value}`)).toEqual(expected.trim().split(/\n\s+/));
  expect(rest).toEqual({ ...figures, warnings: [] });
});

import { givenFactor, templateReason, type Given } from './given.ts';
import { clamp, roundDown, type Fit } from './fit.ts';
import { busyConnections, committedBytes, connectionBytes, workMemUses } from './memory.ts';
import { formatSize, GB, humanBytes, MB } from './sizes.ts';
import type { PlanInput, PlannedSetting, Workload } from './types.ts';
import { budgetOf } from './budget.ts';

/** WAL kept between checkpoints (doc "WAL Configuration"): more of it means fewer full page images, and a longer recovery. */
const walSizes: Record<Workload, { leastBytes: number; mostBytes: number; why: string }> = {
  mixed: { leastBytes: 256 * MB, mostBytes: GB, why: 'mixed work' },
  web: { leastBytes: 256 * MB, mostBytes: GB, why: 'web work' },
  oltp: { leastBytes: 512 * MB, mostBytes: 2 * GB, why: 'many small writes' },
  'read-heavy': { leastBytes: 128 * MB, mostBytes: GB, why: 'few writes' },
  dev: { leastBytes: 80 * MB, mostBytes: 512 * MB, why: 'development: little disk' },
  test: { leastBytes: 80 * MB, mostBytes: 512 * MB, why: 'tests: little disk' },
};

/** Page cache that an instance may count on is never more than a quarter: others are likely to come. */
const leastSharers = 4;

/** Every setting that a formula decides, in the order in which a reader wants them; names that this major has. */
export function derive(input: PlanInput, given: Given, fit: Fit): PlannedSetting[] {
  return [
    ...connections(input, fit),
    ...memory(input, given, fit),
    ...wal(input, fit),
    ...(input.streaming === true ? receiver(input, given) : []),
    ...workers(input, fit),
    ...io(input),
  ].map(([name, value, reason]) => ({ name, value: String(value), reason }));
}

type Row = [name: string, value: string | number, reason: string];

function connections({ major, template }: PlanInput, { shape }: Fit): Row[] {
  const asked = template.connections;
  const each = humanBytes(connectionBytes(shape));
  const lowered = shape.maxConnections < asked ? `, lowered from ${asked}: ${each} each must fit` : '';
  const rows: Row[] = [
    ['max_connections', shape.maxConnections, `${templateReason(template, `connections ${asked}`)}${lowered}`],
    ['superuser_reserved_connections', 3, 'the default: a way in for the superuser when all slots are taken'],
  ];
  if (major >= 16) {
    const reason =
      template.reserved === undefined
        ? 'no role of this instance has slots of its own'
        : templateReason(template, 'reserved');
    rows.push(['reserved_connections', template.reserved ?? 0, reason]);
  }
  return rows;
}

function memory(input: PlanInput, given: Given, fit: Fit): Row[] {
  const { shape, allowanceBytes, maintenanceWorkMemBytes } = fit;
  const committed = committedBytes(shape);
  const allowed = humanBytes(allowanceBytes);
  const { bytes: workMem, uses } = workMemOf(input, given, fit);
  const sharers = Math.max(leastSharers, input.others.length + 1);
  const freeBytes = Math.max(0, input.host.memoryBytes - budgetOf(input).othersBytes - committed);
  const cacheBytes = Math.max(roundDown(shape.sharedBuffersBytes + freeBytes / sharers), MB);
  const large = shape.sharedBuffersBytes >= 2 * GB;
  return [
    [
      'shared_buffers',
      formatSize(shape.sharedBuffersBytes),
      `what ${allowed} leave after ${shape.maxConnections} connections × ${humanBytes(connectionBytes(shape))} and autovacuum, at most 40 % of them`,
    ],
    [
      'huge_pages',
      large ? 'try' : 'off',
      large
        ? 'shared_buffers of 2 GB and more gain by them'
        : 'below 2 GB of shared_buffers; vm.nr_hugepages is for larger instances',
    ],
    [
      'work_mem',
      formatSize(workMem),
      `${humanBytes(Math.max(0, allowanceBytes - committed))} not committed ÷ ${uses} sorts or hashes at once ` +
        `(${busyConnections(shape.maxConnections)} busy connections), from 1 MB to 64 MB`,
    ],
    ['maintenance_work_mem', formatSize(maintenanceWorkMemBytes), `1/16 of ${allowed}, from 16 MB to 512 MB`],
    [
      'autovacuum_work_mem',
      formatSize(shape.autovacuumWorkMemBytes),
      `6 % of ${allowed} ÷ ${shape.autovacuumWorkers} workers, from 4 MB to 128 MB; -1 would let each take maintenance_work_mem`,
    ],
    [
      'effective_cache_size',
      formatSize(cacheBytes),
      `shared_buffers and 1/${sharers} of the ${humanBytes(freeBytes)} that all instances of this host leave to the page cache`,
    ],
  ];
}

/** What is allowed but not committed, divided among the sorts and hashes of a busy moment. */
export function workMemOf({ major }: PlanInput, given: Given, { shape, allowanceBytes }: Fit) {
  const hashMultiplier = hashMultiplierOf(major, given);
  const uses = workMemUses(shape.maxConnections, hashMultiplier);
  const bytes = roundDown(clamp((allowanceBytes - committedBytes(shape)) / uses, MB, 64 * MB));
  return { bytes, uses, hashMultiplier };
}

/** The server's default became 2.0 with PostgreSQL 15 (release notes). */
function hashMultiplierOf(major: number, given: Given): number {
  return givenFactor(given, 'hash_mem_multiplier') ?? (major >= 15 ? 2 : 1);
}

function wal({ template }: PlanInput, { shape, allowanceBytes }: Fit): Row[] {
  const { leastBytes, mostBytes, why } = walSizes[template.workload];
  const wal = formatSize(shape.walBuffersBytes);
  return [
    ['wal_buffers', wal, `1/128 of ${humanBytes(allowanceBytes)}, from 1 MB to one WAL segment (16 MB)`],
    ['min_wal_size', formatSize(leastBytes), `${template.workload}: ${why}`],
    ['max_wal_size', formatSize(mostBytes), `${template.workload}: ${why}`],
    ['checkpoint_completion_target', '0.9', 'spreads the writes of a checkpoint (the default from PostgreSQL 14)'],
  ];
}

/** What the receiver of `--archive streaming` may have the server keep. */
function receiver({ template }: PlanInput, given: Given): Row[] {
  const most = given.get('max_wal_size')?.value ?? formatSize(walSizes[template.workload].mostBytes);
  const why = 'as max_wal_size: a receiver that is dead holds back no more WAL than that, and no disk fills up by it';
  return [['max_slot_wal_keep_size', most, `${why}; it counts for every slot`]];
}

function workers({ major, host, template }: PlanInput, { shape, workerProcesses }: Fit): Row[] {
  const { cores } = host;
  const count = `${cores} core${cores === 1 ? '' : 's'}`;
  const half = Math.min(2, Math.floor(cores / 2));
  const short = template.workload === 'oltp' || template.workload === 'test';
  const rows: Row[] = [
    [
      'max_worker_processes',
      workerProcesses,
      `8 (the default) and one for each core from the fifth to the eighth; ${count}`,
    ],
    ['max_parallel_workers', Math.min(8, cores), `${count}, shared by all instances of this host`],
    [
      'max_parallel_workers_per_gather',
      short ? 0 : half,
      short
        ? `${template.workload}: queries are short and many`
        : `half of ${count}, at most 2: other instances want them too`,
    ],
    ['max_parallel_maintenance_workers', half, `half of ${count}, at most 2`],
    ['autovacuum_max_workers', shape.autovacuumWorkers, 'the default'],
  ];
  if (major >= 18) {
    const slots = 2 * shape.autovacuumWorkers;
    rows.push(['autovacuum_worker_slots', slots, 'twice autovacuum_max_workers, which a reload may raise that far']);
  }
  return rows;
}

function io({ major, host }: PlanInput): Row[] {
  const rows: Row[] = [
    ['random_page_cost', '1.1', 'solid-state disks, where any page is about as near as the next; 4 for spinning ones'],
    ['effective_io_concurrency', 16, 'solid-state disks (the default from PostgreSQL 18)'],
  ];
  if (major >= 18) {
    const why = 'io_uring takes locked memory of the account for every possible backend of all its instances';
    rows.push(['io_method', 'worker', why]);
    rows.push(['io_workers', host.cores > 4 ? 3 : 2, 'processes of this instance alone; the default is 3']);
  }
  return rows;
}

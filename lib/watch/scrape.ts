import { diagnose, type Diagnosing } from '../diagnosis/diagnose.ts';
import type { Finding } from '../diagnosis/finding.ts';
import { observeDisks } from '../diagnosis/disk.ts';
import { monotonicMs, nowMs } from '../host/clock.ts';
import { claimsOf } from '../instances/memory.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { Leases } from '../ports/leases.ts';
import type { Task } from '../task.ts';
import { budgetOf, stressSum } from '../tuning/budget.ts';
import { readHostFacts } from '../tuning/host.ts';
import { renderExposition } from './exposition.ts';
import { hostMetrics } from './host-metrics.ts';
import { instanceMetrics } from './instance-metrics.ts';
import { observeAll, type Sample } from './observe.ts';
import { sampleSchema, type SchemaSample, standings } from './schema-sample.ts';

export interface Scraping {
  places: Places;
  task: Task;
  budgetShare: number;
  toolVersion: string;
}

export interface Scrape {
  text: string;
  /** How many instances it speaks of, and how many of them answered. */
  instances: number;
  up: number;
  seconds: number;
}

/** Prometheus waits ten seconds for a scrape unless told otherwise; what diagnose has not found by then is not told. */
const diagnoseMs = 8000;

/**
 * Looks at the host and the instances, all side by side, and puts it into the words of Prometheus. A server that does not
 * answer takes two seconds, whatever their number.
 * @throws only when interrupted
 */
export async function scrape(
  { places, task, budgetShare, toolVersion }: Scraping,
  names: readonly InstanceName[],
): Promise<Scrape> {
  const { signal } = task;
  const begunMs = monotonicMs();
  const leases = new Leases(places.host);
  const [samples, findings] = await Promise.all([
    observeAll({ places, signal, sizes: true }, names),
    findAll({ places, leases, budgetShare, signal }, names, task),
  ]);
  const schemas = await sampleSchemas(places, task, samples);
  const claims = claimsOf(places, leases);
  const seconds = (monotonicMs() - begunMs) / 1000;
  const families = [
    ...hostMetrics({
      toolVersion,
      budget: budgetOf({ host: readHostFacts(), others: claims, budgetShare }),
      stressBytes: stressSum(claims),
      disks: observeDisks(places),
      findings,
      finishedAt: nowMs() / 1000,
      durationSeconds: seconds,
    }),
    ...instanceMetrics(samples, { samples: schemas, standings: standings(schemas) }),
  ];
  const up = samples.filter(({ server }) => server !== undefined).length;
  return { text: renderExposition(families), instances: samples.length, up, seconds };
}

async function findAll(looking: Diagnosing, names: readonly InstanceName[], task: Task): Promise<Finding[]> {
  const late = AbortSignal.timeout(diagnoseMs);
  try {
    return (await diagnose({ ...looking, signal: AbortSignal.any([looking.signal, late]) }, names)).findings;
  } catch (error) {
    looking.signal.throwIfAborted();
    if (!late.aborted) throw error;
    task.warn(`diagnose took longer than ${diagnoseMs / 1000} s: its findings are not among the metrics`);
    return [];
  }
}

/** Only of servers that have just answered. One whose database is gone or shut has none. */
async function sampleSchemas(
  places: Places,
  task: Task,
  samples: readonly Sample[],
): Promise<Map<InstanceName, SchemaSample>> {
  const found = new Map<InstanceName, SchemaSample>();
  const look = async ({ name, record, server }: Sample): Promise<void> => {
    if (record === undefined || server === undefined) return;
    try {
      found.set(name, await sampleSchema(task, places, record));
    } catch {
      task.signal.throwIfAborted();
    }
  };
  await Promise.all(samples.map(look));
  return found;
}

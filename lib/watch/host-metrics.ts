import type { Finding } from '../diagnosis/finding.ts';
import type { Place } from '../diagnosis/disk.ts';
import type { Budget } from '../tuning/budget.ts';
import type { Family, Point } from './exposition.ts';

export interface HostSample {
  toolVersion: string;
  budget: Budget;
  /** What all instances may take when all are busy at once. */
  stressBytes: number;
  disks: readonly Place[];
  findings: readonly Finding[];
  /** Seconds since 1970. */
  finishedAt: number;
  durationSeconds: number;
}

/** Pure: what all instances share, and what diagnose finds, as metrics. */
export function hostMetrics(sample: HostSample): Family[] {
  const { budget, disks } = sample;
  const gauge = (name: string, help: string, ...points: Point[]): Family => ({ name, type: 'gauge', help, points });
  const one = (value: number): Point => ({ labels: {}, value });
  const perDisk = (read: (place: Place) => number): Point[] =>
    disks.map((place) => ({
      labels: { folder: place.what.replace('the ', ''), path: place.path },
      value: read(place),
    }));
  return [
    gauge('pg_manage_build_info', 'The version of pg-manage; always 1.', {
      labels: { version: sample.toolVersion },
      value: 1,
    }),
    gauge('pg_manage_last_run_timestamp_seconds', 'When these metrics were gathered.', one(sample.finishedAt)),
    gauge('pg_manage_last_run_duration_seconds', 'How long that took.', one(sample.durationSeconds)),
    gauge('pg_manage_host_memory_bytes', 'Memory of the host, or of our control group.', one(budget.limitBytes)),
    gauge('pg_manage_host_budget_bytes', 'What all instances may commit of it.', one(budget.budgetBytes)),
    gauge('pg_manage_host_committed_bytes', 'What they commit, of all roots and users.', one(budget.othersBytes)),
    gauge('pg_manage_host_stress_bytes', 'What they may take when all are busy at once.', one(sample.stressBytes)),
    gauge(
      'pg_manage_disk_size_bytes',
      'Size of the file system of a folder.',
      ...perDisk(({ room }) => room.sizeBytes),
    ),
    gauge('pg_manage_disk_free_bytes', 'What is free on it.', ...perDisk(({ room }) => room.freeBytes)),
    gauge(
      'pg_manage_findings',
      'What diagnose finds; pg_instance is "host" for the machine.',
      ...findingPoints(sample),
    ),
  ];
}

function findingPoints({ findings }: HostSample): Point[] {
  const points = new Map<string, Point>();
  for (const { code, severity, subject } of findings) {
    const labels = { pg_instance: subject, code, severity };
    const key = JSON.stringify(labels);
    points.set(key, { labels, value: (points.get(key)?.value ?? 0) + 1 });
  }
  return [...points.values()];
}

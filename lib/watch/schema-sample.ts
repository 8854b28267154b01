import type { InstanceName } from '../instances/names.ts';
import { asRole, asSuperuser } from '../instances/connection.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { migrationSchema } from '../migrations/history.ts';
import { withClient } from '../postgres/sql.ts';
import { describeSchema } from '../schema/describe.ts';
import { Task } from '../task.ts';

/** What the instance's own database holds, as far as siblings should agree on it. */
export interface SchemaSample {
  invalidIndexes: number;
  /** The checksum of each applied migration, in their order. */
  migrations: string[];
  /** Two databases with one fingerprint have the same schema; null where no migration was applied, so there are no siblings. */
  fingerprint: string | null;
}

const patienceMs = 2000;

/** @throws the driver's error when it does not answer in time */
export async function sampleSchema(task: Task, places: Places, record: InstanceRecord): Promise<SchemaSample> {
  const address = asSuperuser(instancePaths(places, record.name), record, record.database);
  const limits = { signal: task.signal, timeoutMs: patienceMs, settings: { statement_timeout: patienceMs } };
  const seen = await withClient({ ...address, ...limits, applicationName: 'pg-manage watch' }, async (client) => {
    const { rows } = await client.query<{ invalid: number; history: boolean }>(
      `select (select count(*)::int from pg_index where not indisvalid) as invalid,
              to_regclass('${migrationSchema}.migrations') is not null as history`,
    );
    const { invalid = 0, history = false } = rows[0] ?? {};
    if (!history) return { invalid, migrations: [] };
    const applied = await client.query<{ checksum: string }>(
      `select checksum from ${migrationSchema}.migrations order by applied_at, version`,
    );
    return { invalid, migrations: applied.rows.map(({ checksum }) => checksum) };
  });
  const { invalid: invalidIndexes, migrations } = seen;
  if (migrations.length === 0) return { invalidIndexes, migrations, fingerprint: null };
  // As its own role: what that owns is told alike in all siblings.
  const short = new Task(AbortSignal.any([task.signal, AbortSignal.timeout(patienceMs)]), task.emit);
  const { fingerprint } = await describeSchema(short, asRole(instancePaths(places, record.name), record));
  return { invalidIndexes, migrations, fingerprint };
}

/** How an instance stands among those that began with the same migration, its siblings. */
export interface Standing {
  /** Migrations that a sibling has and it has not. */
  behind: number;
  /** True where it has the same migrations as a sibling and another schema, and more siblings have the other one. */
  differs: boolean;
}

/** Pure: compares what was sampled of all instances. Those without migrations have no siblings and no standing. */
export function standings(samples: ReadonlyMap<InstanceName, SchemaSample>): Map<InstanceName, Standing> {
  const found = new Map<InstanceName, Standing>();
  for (const [name, { migrations, fingerprint }] of samples) {
    if (migrations.length === 0) continue;
    const siblings = [...samples.values()].filter((other) => other.migrations[0] === migrations[0]);
    const all = new Set(siblings.flatMap((sibling) => sibling.migrations));
    const alike = siblings.filter((sibling) => isSame(sibling.migrations, migrations));
    const [usual] = byFrequency(alike.map((sibling) => sibling.fingerprint));
    found.set(name, { behind: all.size - new Set(migrations).size, differs: usual !== fingerprint });
  }
  return found;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((checksum) => b.includes(checksum));
}

/** The commonest first; of equally common ones the first by name, so that one of two that differ is told, and not both. */
function byFrequency(values: (string | null)[]): (string | null)[] {
  const counts = new Map<string | null, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts]
    .toSorted(([a, many], [b, more]) => more - many || (String(a) < String(b) ? -1 : 1))
    .map(([value]) => value);
}

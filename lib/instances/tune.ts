import { join } from 'node:path';
import { copyFile, writeFileForGood } from '../host/for-good.ts';
import { readText } from '../host/files.ts';
import { ensureFolder, removeFolder } from '../host/folders.ts';
import type { Operation } from '../operation.ts';
import { sharedMemoryOf, tellsSharedMemory } from '../postgres/configuration.ts';
import { assertWithinBudget, budgetOf } from '../tuning/budget.ts';
import { readHostFacts } from '../tuning/host.ts';
import { type Plan, withSharedMemory } from '../tuning/plan.ts';
import { planFile, planInclude, renderPlan } from '../tuning/render.ts';
import { isShipped } from '../tuning/templates.ts';
import { planFor, type TuningWishes } from './create.ts';
import { claimsOf, leaseHolderOf } from './memory.ts';
import { commentedOut, type Configured } from './own-settings.ts';
import type { InstancePaths } from './places.ts';
import { type InstanceRecord, writeRecord } from './record.ts';

/** An instance that is to be tuned: what it is, and how it is configured. */
export interface Tuned {
  record: InstanceRecord;
  paths: InstancePaths;
  configured: Configured;
  /** Settings of which the operator's own lines become comments. */
  replaced: readonly string[];
}

/** @throws MEMORY_BUDGET, BAD_SETTING */
export function planTuning(
  operation: Pick<Operation, 'places' | 'leases'>,
  { record, configured }: Tuned,
  wishes: TuningWishes,
): Plan {
  return planFor(operation, wishes, { id: record.id, own: configured.own });
}

/**
 * Plans anew with the host's other instances held still, and writes the plan: the file that postgresql.conf includes, the
 * record, and the lease. Until the end the lease claims the larger of both figures, and whatever ends the work before
 * undoes it. The server is not told yet.
 * @throws MEMORY_BUDGET, BAD_SETTING, PROGRAM_FAILED with the server's words where it would refuse the configuration
 */
export async function writeTuning(
  operation: Operation,
  tuned: Tuned,
  wishes: TuningWishes,
): Promise<{ record: InstanceRecord; plan: Plan }> {
  const { places, leases, journal } = operation;
  const { record: before, paths } = tuned;
  const { plan, record } = await operation.withHostLock(async () => {
    const planned = planTuning(operation, tuned, wishes);
    const plan = await measured(operation, tuned, wishes, planned);
    const overcommit = needsOvercommit(operation, tuned, wishes, plan);
    const record = recordOf(before, { ...wishes, overcommit }, plan);
    journal.intend({ kind: 'claim', instance: before.name });
    const larger = (name: 'committedBytes' | 'stressBytes') => Math.max(before[name] ?? 0, record[name] ?? 0);
    const both = { committedBytes: larger('committedBytes'), stressBytes: larger('stressBytes') };
    leases.revise(before.port, leaseHolderOf(places, { ...record, ...both }));
    return { plan, record };
  });
  const [file, main] = [join(paths.data, planFile), join(paths.data, 'postgresql.conf')];
  const own = commentedOut(paths.data, tuned.replaced);
  const files = [file, paths.record].map((path) => ({ path, text: readText(path) ?? '' }));
  journal.intend({ kind: 'files', files: [...files, ...own.map(({ path, text }) => ({ path, text }))] });
  for (const { path, without } of own) writeFileForGood(path, without);
  writeFileForGood(file, renderPlan(plan, { template: record.template, instance: record.name }));
  ensurePlanIncluded(main);
  writeRecord(places, record);
  journal.settle(
    { kind: 'claim', instance: record.name },
    ...(record.archive === before.archive ? [] : [{ kind: 'receiver' as const, instance: record.name }]),
  );
  leases.revise(record.port, leaseHolderOf(places, record));
  return { record, plan };
}

/** The operator's own lines come after the plan, so that they win. */
function ensurePlanIncluded(file: string): void {
  const text = readText(file) ?? '';
  if (text.split('\n').some((line) => line.trim().startsWith(planInclude))) return;
  writeFileForGood(file, `${planInclude}\n\n${text}`);
}

/** The plan's figures with the shared memory that the server itself reckons, where it can. */
async function measured(
  { places, journal, task }: Operation,
  { paths, configured }: Tuned,
  { installation }: TuningWishes,
  plan: Plan,
): Promise<Plan> {
  if (installation.major < tellsSharedMemory) return plan;
  // Beside the data, where a server may be running: the version and the control file are all that is looked at.
  const scratch = join(places.scratch, `tune-${journal.id}`);
  journal.intend({ kind: 'folder', path: scratch });
  for (const folder of [places.scratch, scratch, join(scratch, 'global')]) ensureFolder(folder);
  for (const name of ['PG_VERSION', 'global/pg_control']) copyFile(join(paths.data, name), join(scratch, name));
  const own = Object.entries(configured.own).map(([name, { value }]) => [name, value]);
  const settings = Object.fromEntries([...own, ...plan.settings.map(({ name, value }) => [name, value])]);
  const sharedMemoryBytes = await sharedMemoryOf(installation, scratch, settings, task.signal);
  await removeFolder(scratch);
  return withSharedMemory(plan, sharedMemoryBytes ?? plan.sharedMemoryBytes);
}

/**
 * Whether the permission to pass the budget is used: one that is not needed any more does not stay. What the server reckons
 * may be more than what the plan did.
 * @throws MEMORY_BUDGET where it is needed and was not given
 */
function needsOvercommit(
  { places, leases }: Operation,
  { record }: Tuned,
  { budgetShare, overcommit }: TuningWishes,
  { committedBytes }: Plan,
): boolean {
  const others = claimsOf(places, leases).filter(({ id }) => id !== record.id);
  const instances = [...others, { name: record.name, committedBytes }];
  const host = readHostFacts();
  if (overcommit) return budgetOf({ host, budgetShare, others: instances }).leftBytes < 0;
  assertWithinBudget({ host, budgetShare, instances }, `./manage.ts tune ${record.name} --apply`);
  return false;
}

function recordOf(before: InstanceRecord, wishes: TuningWishes, plan: Plan): InstanceRecord {
  const { overcommit: _allowed, templateFile: _file, archive: _way, ...kept } = before;
  const { template, tuning, archive, overcommit } = wishes;
  return {
    ...kept,
    template: template.name,
    ...(isShipped(template) ? {} : { templateFile: template.path }),
    maxConnections: plan.maxConnections,
    committedBytes: plan.committedBytes,
    stressBytes: plan.stressBytes,
    ...(overcommit ? { overcommit } : {}),
    wishes: tuning,
    ...(archive === undefined ? {} : { archive }),
  };
}

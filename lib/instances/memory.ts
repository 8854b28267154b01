import { AppError } from '../errors.ts';
import type { Operation } from '../operation.ts';
import type { LeaseHolder, Leases } from '../ports/leases.ts';
import { assertWithinBudget, stressSum, stressWarning } from '../tuning/budget.ts';
import { readHostFacts } from '../tuning/host.ts';
import type { Neighbour } from '../tuning/plan.ts';
import type { InstanceName } from './names.ts';
import type { Places } from './places.ts';
import { type InstanceRecord, instanceNames, readRecord } from './record.ts';

/** What an instance of this host may take, as it is configured, whether it runs or not. */
export interface Claim extends Neighbour {
  id: string;
  root: string;
  user: string;
  overcommit: boolean;
}

/**
 * The claims of all instances of this host, by their leases, so of all roots and users; and of this root's instances whose
 * lease was cleaned away, by their records.
 */
export function claimsOf(places: Places, leases: Leases): Claim[] {
  const held = leases.all().filter(({ purpose }) => purpose === 'postgres');
  const claims = held.map(
    ({ instanceId, instance, root, user, committedBytes = 0, stressBytes, overcommit = false }) => {
      return { id: instanceId, name: instance, root, user, committedBytes, stressBytes, overcommit };
    },
  );
  const known = new Set(held.filter(({ root }) => root === places.root).map(({ instance }) => instance));
  const unleased = instanceNames(places).filter((name) => !known.has(name));
  return [...claims, ...unleased.flatMap((name) => claimOf(places, name))];
}

/** A record that cannot be read claims nothing that could be told. */
function claimOf(places: Places, name: InstanceName): Claim[] {
  try {
    const record = readRecord(places, name);
    if (record === undefined) return [];
    const { id, committedBytes, stressBytes, overcommit = false } = record;
    return [{ id, name, root: places.root, user: '-', committedBytes, stressBytes, overcommit }];
  } catch {
    return [];
  }
}

/** What a record says of the plan that the instance is configured by. */
export function tuningOf(record: InstanceRecord) {
  const { template, templateFile, maxConnections, committedBytes, stressBytes, overcommit, wishes, archive } = record;
  return { template, templateFile, maxConnections, committedBytes, stressBytes, overcommit, wishes, archive };
}

/** For whom an instance's port is leased, and with how much memory. */
export function leaseHolderOf({ root }: Places, record: InstanceRecord): LeaseHolder {
  const { id: instanceId, name: instance, committedBytes, stressBytes, overcommit } = record;
  return { purpose: 'postgres', instanceId, instance, root, committedBytes, stressBytes, overcommit };
}

/**
 * Says no to starting an instance while all of this host, this one among them, commit more than the budget; warns when they
 * may pass the memory at a busy moment. Stopped ones count: they may be started by anybody.
 * @param command what to type, with --overcommit, to have it nevertheless
 * @throws MEMORY_BUDGET
 */
export function assertMemory(
  { places, leases, task }: Pick<Operation, 'places' | 'leases' | 'task'>,
  record: InstanceRecord,
  budgetShare: number,
  command = `./manage.ts start ${record.name}`,
): void {
  const host = readHostFacts();
  const claims = claimsOf(places, leases);
  const known = claims.some(({ id }) => id === record.id);
  const instances: Neighbour[] = known ? claims : [...claims, record];
  const stressBytes = stressSum(instances);
  if (stressBytes > host.memoryBytes) task.warn(stressWarning(stressBytes, host.memoryBytes));
  try {
    assertWithinBudget({ host, budgetShare, instances }, command);
  } catch (error) {
    if (record.overcommit !== true || !(error instanceof AppError)) throw error;
    task.warn(`--overcommit: ${error.message}`);
  }
}

import { removeFolder } from '../host/folders.ts';
import type { Port } from '../host/ports.ts';
import { removeRule } from '../instances/access-rules.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import { parseName } from '../instances/names.ts';
import { type InstanceRecord, readRecord, writeRecord } from '../instances/record.ts';
import { observe } from '../instances/state.ts';
import type { Operation } from '../operation.ts';
import type { LeaseHolder, PortRange } from '../ports/leases.ts';
import { poolerPaths } from './places.ts';
import type { PoolerPlan, PoolerWishes } from './plan.ts';
import { startPooler, stopPooler } from './pooler.ts';
import { closeLookup, poolerRule } from './secrets.ts';

type Changing = Pick<Operation, 'places' | 'leases' | 'task'>;

/** Whom the port of a pooler is held for. */
export function poolerHolderOf({ root }: Places, { id: instanceId, name: instance }: InstanceRecord): LeaseHolder {
  return { purpose: 'pooler', instanceId, instance, root };
}

/**
 * Gives an instance that answers a pooler, without writing its record.
 * @returns the record that names the pooler
 * @throws NO_FREE_PORT, PORT_IN_USE and what `startPooler` throws; what was begun is in the journal
 */
export async function givePooler(
  operation: Operation,
  record: InstanceRecord,
  wanted: Port | PortRange,
  wishes: PoolerWishes,
): Promise<{ record: InstanceRecord; plan: PoolerPlan | undefined }> {
  const { leases, journal } = operation;
  const held = record.pooler?.port;
  const intend = (candidate: Port): void => journal.intend({ kind: 'lease', port: candidate, instanceId: record.id });
  const granted =
    wanted === held
      ? held
      : await operation.withHostLock(
          async () => await leases.take(poolerHolderOf(operation.places, record), wanted, intend),
        );
  const { mode = record.pooler?.mode, poolSize = record.pooler?.poolSize } = wishes;
  const named = { ...record, pooler: { port: granted, mode, poolSize } };
  return { record: named, plan: await startPooler(operation, named) };
}

/**
 * Gives an instance a pooler, or changes the one it has. The record is written last: until then whatever ends the work
 * leaves things as the old one says.
 */
export async function setPooler(
  operation: Operation,
  record: InstanceRecord,
  wanted: Port | PortRange,
  wishes: PoolerWishes,
): Promise<{ record: InstanceRecord; plan: PoolerPlan | undefined }> {
  operation.journal.intend({ kind: 'pooler', instance: record.name });
  const given = await givePooler(operation, record, wanted, wishes);
  operation.journal.settle({ kind: 'pooler', instance: record.name });
  writeRecord(operation.places, given.record);
  releaseOthers(operation, given.record);
  return given;
}

/** Takes the pooler of an instance away: the record first, and then all that it named. */
export async function removePooler(operation: Operation, record: InstanceRecord): Promise<void> {
  operation.journal.settle({ kind: 'pooler', instance: record.name });
  writeRecord(operation.places, { ...record, pooler: undefined });
  await matchRecord(operation, record.name);
}

/** Lets the pooler of an instance be as its record says, whatever an operation that did not end has left. */
export async function matchRecord(operation: Changing, instance: string): Promise<void> {
  const { places, task } = operation;
  const record = readRecord(places, parseName(instance));
  if (record === undefined) return;
  releaseOthers(operation, record);
  const runs = isRunning(places, record);
  if (record.pooler !== undefined) {
    if (runs) await startPooler(operation, record);
    return;
  }
  await stopPooler(operation, record, { orderly: true });
  await removeFolder(poolerPaths(places, record.name).folder);
  const paths = instancePaths(places, record.name);
  if (runs) return await closeLookup(task, paths, record);
  removeRule(paths, poolerRule);
}

function isRunning(places: Operation['places'], record: InstanceRecord): boolean {
  const { state, message } = observe(instancePaths(places, record.name), record);
  return state === 'running' && message === undefined;
}

/** The ports that were held for poolers of this instance, and are not its pooler's. */
function releaseOthers({ leases }: Pick<Operation, 'leases'>, { id, pooler }: InstanceRecord): void {
  const others = leases.all().filter((lease) => lease.purpose === 'pooler' && lease.instanceId === id);
  for (const { port } of others) if (port !== pooler?.port) leases.release(port as Port, id);
}

import type { InstanceRecord } from '../instances/record.ts';
import type { Journal } from '../journal.ts';
import type { Operation } from '../operation.ts';
import { startPooler, stopPooler } from '../pooler/pooler.ts';
import { startReceiver, stopReceiver } from '../receiver/receiver.ts';

/*
 * The processes that stand beside an instance's server, where its record names them, and come and go with it: its pooler, and the receiver of
 * its WAL.
 */

/** Starts what is not there, and takes away what is not to be there any more, also when one of them fails. @throws what `startPooler` and `startReceiver` throw */
export async function startCompanions(
  operation: Pick<Operation, 'places' | 'leases' | 'task'>,
  record: InstanceRecord,
): Promise<void> {
  try {
    await startPooler(operation, record);
  } finally {
    await startReceiver(operation, record);
  }
}

/** To be said before they are ended: should the operation not end, they are to be as the record says. */
export function intendCompanions(journal: Journal, { name: instance, pooler, archive }: InstanceRecord): void {
  if (pooler !== undefined) journal.intend({ kind: 'pooler', instance });
  if (archive === 'streaming') journal.intend({ kind: 'receiver', instance });
}

/**
 * Ends them, before the server: a client of the pooler has its moment, and no receiver that hangs holds the server's own end up.
 * What is written from then on is archived as the server stops.
 */
export async function stopCompanions(
  operation: Pick<Operation, 'places' | 'task'>,
  record: InstanceRecord,
  how: { orderly: boolean; timeoutMs: number | undefined },
): Promise<void> {
  await stopPooler(operation, record, how);
  await stopReceiver(operation, record);
}

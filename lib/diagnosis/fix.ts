import { setMode } from '../host/inspect.ts';
import type { Port } from '../host/ports.ts';
import { parseName } from '../instances/names.ts';
import { orphanLeases } from '../instances/ports.ts';
import { leaseHolderOf } from '../instances/memory.ts';
import { poolerHolderOf } from '../pooler/change.ts';
import { requireRecord } from '../instances/record.ts';
import type { Operation } from '../operation.ts';
import type { Fix } from './finding.ts';

type Fixing = Pick<Operation, 'places' | 'leases' | 'withHostLock'>;

/**
 * Does the safe remedy of a finding: nothing is started, and no data is deleted. Leases are looked at again under the host's lock,
 * as others may have changed them.
 * @param recover finishes or undoes what killed operations on an instance have left; '' for those of the host
 */
export async function applyFix(
  { places, leases, withHostLock }: Fixing,
  fix: Fix,
  recover: (instance: string) => Promise<void>,
): Promise<void> {
  switch (fix.kind) {
    case 'mode':
      return setMode(fix.path, fix.mode);
    case 'recover':
      return await recover(fix.instance);
    case 'release-lease':
      return await withHostLock(async () => {
        const orphan = orphanLeases(places, leases).find(({ port }) => port === fix.port);
        if (orphan !== undefined) leases.release(orphan.port as Port, orphan.instanceId);
      });
    case 'renew-lease':
      return await withHostLock(async () => {
        const record = requireRecord(places, parseName(fix.instance));
        leases.renew(record.port, leaseHolderOf(places, record));
        if (record.pooler !== undefined) leases.renew(record.pooler.port, poolerHolderOf(places, record));
      });
  }
}

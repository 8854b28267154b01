import { join } from 'node:path';
import { makeFolder, makeTemporaryFolder, removeFolder } from '../host/folders.ts';
import { assertReplaceable, homeOf } from '../instances/home.ts';
import { type InstanceName } from '../instances/names.ts';
import { instancePaths } from '../instances/places.ts';
import type { Operation } from '../operation.ts';
import type { Installation } from '../postgres/installations.ts';
import { systemIdentifierOf } from '../postgres/postmaster.ts';
import { archiveOfBackup } from './repository.ts';
import type { RestorePlan } from './restore-plan.ts';
import { installRestoreScript } from './restore-script.ts';
import { assertTablespacesFree } from './tablespaces-replayed.ts';
import { copyTail, received } from './tail.ts';

/**
 * Finds what a restore would refuse when it has begun, so that its plan refuses it too. It reads all WAL on the way, as the
 * restore does; the newest from where the server or its receiver has it, since nobody is told to archive for a plan.
 * @param name what is to be restored: the instance itself, or a new one
 * @throws RESTORE_TARGET, INSTANCE_BROKEN, FILE_ACCESS
 */
export async function assertPossible(
  { places, task }: Pick<Operation, 'places' | 'task'>,
  installation: Installation,
  plan: RestorePlan,
  name: InstanceName,
): Promise<void> {
  const home = homeOf(places, instancePaths(places, name));
  await assertReplaceable(home, task.signal);
  const { instance, segmentBytes, startLsn } = plan.backup;
  const archive = archiveOfBackup(places, instance.name, instance.id);
  const { data } = instancePaths(places, instance.name);
  const scratch = makeTemporaryFolder('pg-manage-plan-'); // a dry run writes nothing below the root
  try {
    const isThere = systemIdentifierOf(data) === instance.systemIdentifier;
    const beside = isThere ? join(data, 'pg_wal') : join(scratch, 'received');
    if (!isThere) {
      makeFolder(beside);
      copyTail(received(archive, segmentBytes), beside, { ...instance, segmentBytes });
    }
    const restoreScript = installRestoreScript(join(scratch, 'restore-wal'));
    const wal = { archive, beside, segmentBytes, restoreScript, folder: join(scratch, 'unpacked') };
    await task.step('look for tablespaces', async () => {
      await assertTablespacesFree(installation, { plan, wal, from: startLsn }, task);
    });
  } finally {
    await removeFolder(scratch);
  }
}

import { dirname, join } from 'node:path';
import { AppError } from '../errors.ts';
import { listFolder } from '../host/files.ts';
import { removeFile } from '../host/folders.ts';
import { copyFile, syncFolder } from '../host/for-good.ts';
import { run } from '../host/programs.ts';
import { poll } from '../host/wait.ts';
import { stopInstance } from '../instances/stop.ts';
import { instancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import type { Operation } from '../operation.ts';
import { findPacker } from '../postgres/codecs.ts';
import { superuser } from '../postgres/initdb.ts';
import { livePostmaster, systemIdentifierOf } from '../postgres/postmaster.ts';
import { segmentBefore } from '../postgres/segment-before.ts';
import { withClient } from '../postgres/sql.ts';
import { archiveOfBackup } from './repository.ts';
import type { RestorePlan } from './restore-plan.ts';
import { installScript } from './restore-script.ts';
import { findStored } from './stored-wal.ts';
import { copyTail, received } from './tail.ts';

/**
 * Sees to it that the recovery can go to the newest transaction of the instance that the backup is of: a running one is told
 * to archive what it is writing; what a stopped one has not archived is taken along, and so is what the running one that is
 * to be replaced archives no more. Of one that is gone, what its receiver has got is taken. Where the target needs no newest WAL, only the server to be replaced is stopped.
 * @returns false when that instance is gone, so that nobody can say what it wrote last
 */
export async function collectNewestWal(
  operation: Operation,
  { plan, record }: { plan: RestorePlan; record: InstanceRecord },
  restored: string,
): Promise<boolean> {
  const { places, task, journal } = operation;
  const source = instancePaths(places, plan.backup.instance.name);
  const archive = archiveOfBackup(places, plan.backup.instance.name, plan.backup.instance.id);
  const wanted = plan.target.kind !== 'immediate' && plan.target.kind !== 'before-gap';
  if (systemIdentifierOf(source.data) !== plan.backup.instance.systemIdentifier) {
    if (wanted) await takeAlongTail(task, plan, archive, restored);
    return false;
  }
  const inPlace = record.name === plan.backup.instance.name;
  const running = livePostmaster(source.data);
  if (!wanted && (!inPlace || running === undefined)) return true;
  if (running !== undefined) {
    const archived = !wanted || (await archiveRest(operation, { host: source.socket, port: running.port }, archive));
    if (!inPlace) {
      if (archived) return true;
      throw new AppError(
        'RESTORE_TARGET',
        `${plan.backup.instance.name} does not archive its newest WAL, so a restore would miss it`,
        {
          hint: `see why with: ./manage.ts --action logs --instance ${plan.backup.instance.name}`,
        },
      );
    }
    journal.intend({ kind: 'stopped', instance: record.name });
    await stopInstance(task, source, record, { way: 'fast', timeoutMs: 120_000 });
  }
  if (wanted) {
    // The tail first: of what both have, the server's own is the newer.
    await takeAlongTail(task, plan, archive, restored);
    takeAlongWal(source.data, restored, archive);
  }
  return true;
}

/**
 * What a receiver has got of segments that the archive does not hold. Nobody else will archive those that are whole: that is done
 * now, by the script that the server would have used; the last one, which is not, goes along with the data.
 */
async function takeAlongTail(
  task: Operation['task'],
  { backup, timeline }: RestorePlan,
  archive: string,
  newData: string,
): Promise<void> {
  const { segmentBytes, instance } = backup;
  // What a later timeline has is not on the way.
  const files = () => received(archive, segmentBytes).filter((one) => one.timeline <= timeline);
  if (files().length === 0) return;
  const script = installScript('archive-wal.sh', join(dirname(newData), 'archive-wal'));
  for (const { path, name } of files().filter(({ whole }) => whole)) {
    const args = [path, name, archive, instance.id, instance.systemIdentifier, findPacker()];
    try {
      await run(script, args, { signal: task.signal, timeoutMs: 600_000 });
    } catch (error) {
      task.signal.throwIfAborted();
      task.warn(`${name} was received, and is not archived: ${(error as AppError).output ?? (error as Error).message}`);
    }
  }
  const to = join(newData, 'pg_wal');
  for (const name of copyTail(files(), to, { ...backup, ...instance })) {
    task.warn(`what was received as ${name} is not WAL of this instance, and is left out`);
  }
  syncFolder(to);
}

/** Has a server archive the segment it is writing. False when that is not done in time. */
async function archiveRest(
  { task }: Operation,
  address: { host: string; port: number },
  archiveFolder: string,
): Promise<boolean> {
  return await task.step('archive the newest WAL', async () => {
    const options = { ...address, user: superuser, database: 'postgres', signal: task.signal, timeoutMs: 60_000 };
    const name = await withClient(options, async (client) => await segmentBefore(client, 'pg_switch_wal()'));
    const arrived = (): true | undefined => (findStored(archiveFolder, name) === undefined ? undefined : true);
    return (await poll(arrived, { signal: task.signal, timeoutMs: 30_000 })) ?? false;
  });
}

function takeAlongWal(oldData: string, newData: string, archiveFolder: string): void {
  const from = join(oldData, 'pg_wal');
  const to = join(newData, 'pg_wal');
  for (const name of listFolder(from)) {
    if (!/^[0-9A-F]{24}$|^[0-9A-F]{8}\.history$/.test(name) || findStored(archiveFolder, name)) continue;
    // The backup's own copy of a segment may be cut short where the backup ended.
    removeFile(join(to, name));
    copyFile(join(from, name), join(to, name));
  }
  syncFolder(to);
}

import { listBackups } from '../backups/catalogue.ts';
import { otherMachine } from '../backups/machine-mark.ts';
import { archiveFolderOf, archiveOfBackup } from '../backups/repository.ts';
import { waitingWal } from '../backups/waiting-wal.ts';
import { readArchive } from '../backups/wal-check.ts';
import { nowMs } from '../host/clock.ts';
import { ownershipOf, unwritableFolders } from '../host/inspect.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { defaultSegmentBytes } from '../postgres/wal.ts';
import type { ArchiveFacts, ArchiverFacts } from './archive.ts';

/** @param archiver what the server said of it before: what it had archived then must be there now */
export async function observeArchive(
  places: Places,
  record: InstanceRecord,
  archiver: ArchiverFacts | undefined,
  signal: AbortSignal,
): Promise<ArchiveFacts> {
  const { name } = record;
  const folder = archiveFolderOf(places, name);
  const ownership = ownershipOf(folder);
  const waiting = waitingWal(instancePaths(places, name).data);
  const backup = listBackups(places, name).findLast(({ state }) => state !== 'failed');
  return {
    name,
    folder,
    there: ownership !== undefined,
    writable: ownership !== undefined && (await unwritableFolders([folder], signal)).length === 0,
    elsewhere: otherMachine(places, name),
    mode: ownership?.mode,
    waiting: waiting.segments,
    oldestWaitingMs: waiting.oldestMs,
    timelines: readArchive(folder, defaultSegmentBytes),
    backup: backup && {
      id: backup.id,
      span: backup,
      timelines: readArchive(archiveOfBackup(places, name, backup.instance.id), backup.segmentBytes),
    },
    archiver,
    nowMs: nowMs(),
  };
}

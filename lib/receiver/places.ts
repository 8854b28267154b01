import { join } from 'node:path';
import { tailFolder } from '../backups/tail.ts';
import { archiveFolderOf } from '../backups/repository.ts';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths, type Places } from '../instances/places.ts';

export interface ReceiverPaths {
  /** Named in the process's arguments: by this file a receiver is known to be this instance's. */
  script: string;
  /** All that the receiver says. */
  output: string;
  archive: string;
  /** What is received goes here, a folder for each timeline. */
  tail: string;
}

export function receiverPaths(places: Places, name: InstanceName): ReceiverPaths {
  const { folder, log } = instancePaths(places, name);
  const archive = archiveFolderOf(places, name);
  return {
    script: join(folder, 'receive-wal'),
    output: join(log, 'receiver.out'),
    archive,
    tail: tailFolder(archive),
  };
}

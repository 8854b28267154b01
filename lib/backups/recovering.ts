import { join } from 'node:path';
import { exists, readText } from '../host/files.ts';
import { recoveryConfiguration } from '../instances/configure.ts';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import { instanceNames } from '../instances/record.ts';

/**
 * The instance whose server still recovers from an archive, though the restore that began it has ended (its time was up) and
 * its locks with it. WAL that went now would look to that server like the end of all WAL.
 */
export function recoveringFrom(places: Places, archive: string): InstanceName | undefined {
  return instanceNames(places).find((name) => {
    const { data } = instancePaths(places, name);
    // The server removes it when the recovery has ended.
    if (!exists(join(data, 'recovery.signal'))) return false;
    return readText(join(data, recoveryConfiguration))?.includes(archive) === true;
  });
}

import { join } from 'node:path';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths, type Places, socketFolder } from '../instances/places.ts';

/** What a pooler's folder holds, below its instance's. */
export interface PoolerPaths {
  folder: string;
  /** Named in the process's arguments: by this file a pooler is known to be this instance's. */
  configuration: string;
  /** All that the pooler says. */
  output: string;
  /** For its administration alone; clients come over TCP. */
  socket: string;
}

export function poolerPaths(places: Places, name: InstanceName): PoolerPaths {
  const folder = join(instancePaths(places, name).folder, 'pooler');
  return {
    folder,
    configuration: join(folder, 'pgbouncer.ini'),
    output: join(folder, 'pgbouncer.log'),
    socket: socketFolder(places, join(folder, 'run')),
  };
}

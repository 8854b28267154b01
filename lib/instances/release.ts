import { join } from 'node:path';
import { readText } from '../host/files.ts';
import { ensureFolder, removeFile } from '../host/folders.ts';
import { moveForGood, writeFileForGood } from '../host/for-good.ts';
import { removeLink } from '../host/links.ts';
import type { Operation } from '../operation.ts';
import { giveConfigurationBack } from './adopted-files.ts';
import { homeOf, quarantineFor } from './home.ts';
import { instancePaths } from './places.ts';
import type { InstanceRecord } from './record.ts';

export interface Released {
  /** Where its data is, which nobody has touched. */
  data: string;
  /** Holds the instance's record, logs, and the configuration as it was here. */
  quarantine: string;
}

/**
 * Gives an adopted cluster that stands still back to its own manager: ours is taken out of its configuration, the instance's
 * folder goes to quarantine, the port is free. Whatever ends the work before leaves it adopted.
 */
export function releaseCluster({ places, journal, leases }: Operation, record: InstanceRecord): Released {
  const { name, id, port, adopted } = record;
  const paths = instancePaths(places, name);
  const { data } = homeOf(places, paths);
  giveConfigurationBack(journal, paths, data);
  const cluster = adopted?.cluster;
  if (cluster !== undefined) {
    const file = join('/etc/postgresql', cluster.version, cluster.name, 'start.conf');
    journal.intend({ kind: 'files', files: [{ path: file, text: readText(file) ?? null, mode: 0o644 }] });
    if (cluster.startConf === null) removeFile(file);
    else writeFileForGood(file, cluster.startConf, 0o644);
  }
  const quarantine = quarantineFor(places, name, journal.id);
  // What waits in quarantine must not lead to data that lives on.
  journal.intend({ kind: 'link', path: paths.data, target: data });
  removeLink(paths.data);
  ensureFolder(places.quarantine);
  journal.intend({ kind: 'move', from: paths.folder, to: quarantine });
  moveForGood(paths.folder, quarantine);
  journal.settle({ kind: 'lease', port, instanceId: id });
  leases.release(port, id);
  return { data, quarantine };
}

import { dirname } from 'node:path';
import {
  ensureSystemFolder,
  isLinkTo,
  linkSystemFile,
  removeSystemFile,
  writeSystemFile,
} from '../host/callers-files.ts';
import { exists, isFolder } from '../host/files.ts';
import { readSystemFile } from '../host/inspect.ts';
import { calledByRoot } from '../host/users.ts';
import type { Places } from '../instances/places.ts';
import type { Need } from './packages.ts';

/** A file outside of the root. Its text names us; a link leads to /dev/null, by which systemd never starts a unit. */
export type SystemFile = { path: string; text: string } | { path: string; masks: true };

const clusterFile = '/etc/postgresql-common/createcluster.conf';
const poolerUnit = '/etc/systemd/system/pgbouncer.service';
const keptFile = '/etc/tmpfiles.d/pg-manage.conf';

/** What Debian's packages must find before they are installed: they would make a cluster, and start a pooler, of their own. */
export function filesBeforePackages(needs: readonly Need[]): SystemFile[] {
  const cluster = {
    path: clusterFile,
    text: '# Written by pg-manage: it makes the instances.\ncreate_main_cluster = false\n',
  };
  return [
    ...(needs.includes('postgresql') && !exists(clusterFile) ? [cluster] : []),
    ...(needs.includes('pgbouncer') && !isThere(poolerUnit) ? [{ path: poolerUnit, masks: true as const }] : []),
  ];
}

/** Where the leases of ports are in a folder that systemd empties of what is old, they are to be spared (tmpfiles.d(5)). */
export function lastingFiles({ host }: Places): SystemFile[] {
  if (!calledByRoot() || !/^(\/var)?\/tmp\//.test(host) || !isFolder(dirname(keptFile))) return [];
  return [
    {
      path: keptFile,
      text: `# Written by pg-manage: ports are held here for as long as an instance is there.\nx ${host}\n`,
    },
  ];
}

/** Those that are not there as they should be. */
export function filesToWrite(files: readonly SystemFile[]): SystemFile[] {
  return files.filter((file) => ('text' in file ? readSystemFile(file.path) !== file.text : !isThere(file.path)));
}

export function writeFile(file: SystemFile): void {
  ensureSystemFolder(dirname(file.path));
  if ('text' in file) writeSystemFile(file.path, file.text);
  else linkSystemFile('/dev/null', file.path);
}

/** Takes away what is still ours. @returns whether it was */
export function removeOurs(path: string): boolean {
  const ours = isLinkTo(path, '/dev/null') || /pg\\?-manage/i.test(readSystemFile(path) ?? '');
  if (ours) removeSystemFile(path);
  return ours;
}

function isThere(path: string): boolean {
  return exists(path) || isLinkTo(path, '/dev/null');
}

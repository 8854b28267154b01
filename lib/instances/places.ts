import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { InstanceName } from './names.ts';

/** Where everything lives. Absolute real paths. */
export interface Places {
  root: string;
  /** Holds the instances, a folder each. */
  instances: string;
  /** The repository: holds the backups of all instances. */
  repository: string;
  locks: string;
  journal: string;
  /** Where replaced and destroyed data waits. */
  quarantine: string;
  /** Where unfinished work and test restores are; whatever no journal names may go. */
  scratch: string;
  /** Copies of the PostgreSQL that comes with the tool, a folder for each release. */
  programs: string;
  audit: string;
  /** When problems came and went. */
  problems: string;
  /** Shared by all roots and users of this host: leases and the host lock. */
  host: string;
}

export function placesOf(root: string, repository: string, host: string): Places {
  const own = join(root, '.pg-manage');
  return {
    root,
    instances: join(root, 'instances'),
    repository,
    locks: join(own, 'locks'),
    journal: join(own, 'journal'),
    quarantine: join(own, 'quarantine'),
    scratch: join(own, 'scratch'),
    programs: join(own, 'postgres'),
    audit: join(own, 'audit.jsonl'),
    problems: join(own, 'problems.jsonl'),
    host,
  };
}

/** What an instance's folder holds. */
export interface InstancePaths {
  folder: string;
  record: string;
  data: string;
  log: string;
  /** What the server says before it opens its own log, and when it cannot. */
  output: string;
  password: string;
  /** Those of further roles, a file each. */
  passwords: string;
  archiveScript: string;
  restoreScript: string;
  socket: string;
}

export function instancePaths(places: Places, name: InstanceName): InstancePaths {
  const folder = join(places.instances, name);
  return {
    folder,
    record: join(folder, 'instance.json'),
    data: join(folder, 'data'),
    log: join(folder, 'log'),
    output: join(folder, 'log', 'server.out'),
    password: join(folder, 'password'),
    passwords: join(folder, 'passwords'),
    archiveScript: join(folder, 'archive-wal'),
    restoreScript: join(folder, 'restore-wal'),
    socket: socketFolder(places, join(folder, 'run')),
  };
}

/** The longest path of a Unix socket, less the name PostgreSQL gives it (`/.s.PGSQL.65535.lock` beside it is a plain file). */
const longestSocketFolder = 107 - '/.s.PGSQL.65535'.length;

/** The folder for a server's socket: the one wished for, or a short one on this host where that name is too long for a socket. */
export function socketFolder(places: Places, wished: string): string {
  if (Buffer.byteLength(wished) <= longestSocketFolder) return wished;
  return join(places.host, 'run', createHash('sha256').update(wished).digest('hex').slice(0, 16));
}

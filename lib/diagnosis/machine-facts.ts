import { join } from 'node:path';
import { exists, listFolder } from '../host/files.ts';
import { readSystemFile, roomAt, unwritableFolders } from '../host/inspect.ts';
import { findProgram } from '../host/programs.ts';
import { dataOwner } from '../host/users.ts';
import type { Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import type { Lease } from '../ports/leases.ts';
import type { Installation } from '../postgres/installations.ts';
import { limitFiles } from '../tuning/cgroups.ts';
import { readHostFacts } from '../tuning/host.ts';
import type { MachineFacts } from './machine.ts';

interface Known {
  places: Places;
  installations: readonly Installation[];
  records: readonly InstanceRecord[];
  leases: readonly Lease[];
  budgetShare: number;
}

/** Reads /proc, /sys and the system's configuration; changes nothing. */
export async function observeMachine(known: Known, signal: AbortSignal): Promise<MachineFacts> {
  const { places, installations, records, leases } = known;
  const shm = roomAt('/dev/shm');
  const folders = [places.instances, join(places.root, '.pg-manage'), places.repository, places.host];
  return {
    installations,
    incomplete: incompleteFolders(installations),
    missing: ['tar', 'zstd', 'lz4'].filter((name) => findProgram(name) === undefined),
    account: dataOwner(),
    unwritable: await unwritableFolders(folders.filter(exists), signal),
    openFiles: limitOf(readSystemFile('/proc/self/limits') ?? '', 'Max open files'),
    processes: fewest(limitOf(readSystemFile('/proc/self/limits') ?? '', 'Max processes'), groupProcesses()),
    sharedMemory: shm && { sizeBytes: shm.sizeBytes, freeBytes: shm.freeBytes },
    segments: observeSegments(),
    host: readHostFacts(),
    budgetShare: known.budgetShare,
    committed: leases.map(({ instance, committedBytes = 0 }) => ({ name: instance, committedBytes })),
    processesNeeded: records.reduce((sum, { maxConnections }) => sum + maxConnections + otherProcesses, 0),
    removeIpc: removesIpc(logindFiles().map((file) => readSystemFile(file) ?? '')),
    overcommit: observeOvercommit(),
  };
}

/** What a server runs beside its connections: its own, autovacuum and parallel workers, WAL senders. */
const otherProcesses = 30;

/** Debian's folders, where an upgrade or a purge may have left half of one. */
function incompleteFolders(installations: readonly Installation[]): string[] {
  const base = '/usr/lib/postgresql';
  return listFolder(base)
    .map((version) => join(base, version, 'bin'))
    .filter((folder) => exists(join(folder, 'postgres')) && !installations.some(({ bindir }) => bindir === folder));
}

/** Columns of /proc/PID/limits (proc(5)): name, soft limit, hard limit, unit. `unlimited` is none. */
export function limitOf(limits: string, name: string): number | undefined {
  const line = limits.split('\n').find((row) => row.startsWith(name));
  const soft = /^\s*(\d+)/.exec(line?.slice(name.length) ?? '')?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** The limit of our control groups (systemd's TasksMax), where pids.max stands beside memory.max. */
function groupProcesses(): number | undefined {
  const [groups, mounts] = ['/proc/self/cgroup', '/proc/self/mountinfo'].map((file) => readSystemFile(file) ?? '');
  return limitFiles(groups ?? '', mounts ?? '')
    .filter((file) => file.endsWith('/memory.max'))
    .map((file) => readSystemFile(file.replace(/memory\.max$/, 'pids.max'))?.trim() ?? '')
    .map((text) => (/^\d+$/.test(text) ? Number(text) : undefined))
    .reduce(fewest, undefined);
}

function fewest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b);
}

function observeSegments(): MachineFacts['segments'] {
  const max = Number(readSystemFile('/proc/sys/kernel/shmmni') ?? NaN);
  const used = readSystemFile('/proc/sysvipc/shm')?.trim().split('\n').length;
  return Number.isFinite(max) && used !== undefined ? { used: used - 1, max } : undefined;
}

/** The files that logind reads, in the order in which later ones win (logind.conf(5)). */
function logindFiles(): string[] {
  const dropIns = ['/usr/lib', '/run', '/etc'].map((base) => `${base}/systemd/logind.conf.d`);
  return ['/etc/systemd/logind.conf', ...dropIns.flatMap((folder) => listFolder(folder).map((f) => join(folder, f)))];
}

/** True where one of the files says so; what they leave out is the distribution's to decide, and Debian's says no. */
export function removesIpc(texts: readonly string[]): boolean {
  const said = texts.flatMap((text) => [...text.matchAll(/^\s*RemoveIPC\s*=\s*(\S+)/gm)].map(([, value]) => value));
  return /^(yes|true|on|1)$/i.test(said.at(-1) ?? 'no');
}

function observeOvercommit(): MachineFacts['overcommit'] {
  const mode = Number(readSystemFile('/proc/sys/vm/overcommit_memory') ?? NaN);
  const meminfo = readSystemFile('/proc/meminfo') ?? '';
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(meminfo)?.[1] ?? 0);
  if (!Number.isFinite(mode)) return undefined;
  return { mode, limitBytes: kilobytes('CommitLimit') * 1024, committedBytes: kilobytes('Committed_AS') * 1024 };
}

import { join } from 'node:path';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import { listFolder, readJson, readText } from '../host/files.ts';
import { ensureFolder, removeFile } from '../host/folders.ts';
import { createFileForGood, writeFileForGood } from '../host/for-good.ts';
import { isBindable, listenerOn, type Port } from '../host/ports.ts';
import { dataOwner } from '../host/users.ts';

export const leasePurposes = ['postgres', 'pooler', 'gui', 'test-restore'] as const;

const leaseSchema = z.object({
  schema: z.literal(1),
  port: z.number(),
  purpose: z.enum(leasePurposes),
  /** The instance that the port is held for, by its lasting id. */
  instanceId: z.string(),
  instance: z.string(),
  root: z.string(),
  user: z.string(),
  /** Memory that the instance may commit, so that every root and user can plan for the whole host. */
  committedBytes: z.number().optional(),
  /** What it may take at a busy moment. */
  stressBytes: z.number().optional(),
  /** Whether it was allowed to pass the host's budget. */
  overcommit: z.boolean().optional(),
  since: z.string(),
});

/** A port that is held on this host, whether anything listens on it or not. */
export type Lease = z.infer<typeof leaseSchema>;

export interface PortRange {
  first: Port;
  last: Port;
}

/** The old tool's range, which its users' firewalls and notes know. */
export const defaultRange: PortRange = { first: 5433 as Port, last: 5499 as Port };

/** @throws BAD_PORT */
export function parsePort(text: string | number): Port {
  const port = /^\d+$/.test(String(text)) ? Number(text) : Number.NaN;
  if (!(port >= 1024 && port <= 65535)) {
    throw new AppError('BAD_PORT', `"${text}" is no port`, { hint: 'a port is a whole number from 1024 to 65535' });
  }
  return port as Port;
}

/** Reads `5433-5499`. @throws BAD_PORT */
export function parseRange(text: string): PortRange {
  const [first, last, ...rest] = text.split('-');
  const range = { first: parsePort(first ?? ''), last: parsePort(last ?? first ?? '') };
  if (rest.length > 0 || range.first > range.last) {
    throw new AppError('BAD_PORT', `"${text}" is no range of ports`, { hint: 'write it as 5433-5499' });
  }
  return range;
}

/** What memory the holder of a lease may take. */
export type MemoryClaim = Pick<Lease, 'committedBytes' | 'stressBytes' | 'overcommit'>;

/** Whom a port is leased for, as a lease file says it. */
export type LeaseHolder = Pick<Lease, 'purpose' | 'instanceId' | 'instance' | 'root'> & MemoryClaim;

/**
 * The ports held on this host. All users and roots share one folder of lease files, `PORT.json`; a file is made by linking
 * a finished one into place, which the file system grants to exactly one process. So two leases of one port cannot be.
 */
export class Leases {
  private readonly folder: string;

  /** @param hostFolder the folder that all users of the tool on this host share */
  constructor(hostFolder: string) {
    this.folder = join(hostFolder, 'leases');
  }

  all(): Lease[] {
    return listFolder(this.folder)
      .filter((name) => /^\d+\.json$/.test(name))
      .flatMap((name) => readJson(join(this.folder, name), leaseSchema) ?? []);
  }

  find(port: Port): Lease | undefined {
    return readJson(this.file(port), leaseSchema);
  }

  /**
   * Takes this very port, or the first free one of a range. `intend` is told each port before it is taken.
   * @throws PORT_IN_USE naming the instance or the process that has it; NO_FREE_PORT when none of the range is left
   */
  async take(holder: LeaseHolder, wanted: Port | PortRange, intend: (port: Port) => void): Promise<Port> {
    if (typeof wanted === 'number') return await this.takeExactly(wanted, holder, intend);
    const configured = portsOfDebianClusters();
    for (let port = wanted.first; port <= wanted.last; port = (port + 1) as Port) {
      if (this.find(port) !== undefined || configured.has(port) || !(await isBindable(port))) continue;
      intend(port);
      // Of several processes that got here with this port, the file system grants the lease to one.
      if (this.write(port, holder)) return port;
    }
    throw new AppError('NO_FREE_PORT', `no port from ${wanted.first} to ${wanted.last} is free`, {
      hint: 'name another range with --port-range FIRST-LAST, or destroy an instance that is not needed',
    });
  }

  private async takeExactly(port: Port, holder: LeaseHolder, intend: (port: Port) => void): Promise<Port> {
    const held = this.find(port);
    if (held !== undefined) throw portInUse(port, describeLease(held));
    if (!(await isBindable(port))) throw portInUse(port, describeListener(port));
    intend(port);
    if (this.write(port, holder)) return port;
    const lease = this.find(port);
    throw portInUse(port, lease ? describeLease(lease) : 'another instance');
  }

  /**
   * Makes sure that the lease of an instance that exists is there (its file may have been cleaned away), says its name and
   * the root where it is by now (it may have been moved), and claims the memory that its record says.
   * @throws PORT_IN_USE when another instance has it by now
   */
  renew(port: Port, holder: LeaseHolder): void {
    if (this.find(port) === undefined) this.write(port, holder);
    const lease = this.find(port);
    if (lease !== undefined && lease.instanceId !== holder.instanceId)
      throw portInUse(port, describeLease(lease), moveHint);
    if (lease !== undefined && !saysSame(lease, holder)) this.revise(port, holder);
  }

  /**
   * Says anew what the holder of a lease is called, where it is and what memory it may take; a lease that is not there, or another's, is left
   * alone.
   */
  revise(port: Port, { instanceId, instance, root, committedBytes, stressBytes, overcommit }: LeaseHolder): void {
    const lease = this.find(port);
    if (lease?.instanceId !== instanceId) return;
    const revised: Lease = { ...lease, instance, root, committedBytes, stressBytes, overcommit };
    writeFileForGood(this.file(port), `${JSON.stringify(revised)}\n`, 0o644);
  }

  /** Gives a port back. One that somebody else holds is left alone. */
  release(port: Port, instanceId: string): void {
    if (this.find(port)?.instanceId === instanceId) this.remove(port);
  }

  private file(port: Port): string {
    return join(this.folder, `${port}.json`);
  }

  private remove(port: Port): void {
    removeFile(this.file(port));
  }

  private write(port: Port, holder: LeaseHolder): boolean {
    // Like /tmp: everybody may add, only the owner (or root) may remove.
    ensureFolder(this.folder, 0o1777);
    const lease: Lease = { schema: 1, port, ...holder, user: dataOwner().name, since: nowIso() };
    return createFileForGood(this.file(port), `${JSON.stringify(lease)}\n`, 0o644);
  }
}

function saysSame(lease: Lease, holder: LeaseHolder): boolean {
  const names = ['instance', 'root', 'committedBytes', 'stressBytes', 'overcommit'] as const;
  return names.every((name) => lease[name] === holder[name]);
}

/** What to do when the port of an instance is somebody else's. */
export const moveHint = 'end that program, or move the instance: ./manage.ts start NAME --port auto';

/** Who holds a lease, in words. */
export function describeLease({ instance, root, purpose, user }: Lease): string {
  const use = purpose === 'postgres' ? '' : ` (${purpose})`;
  return `instance ${instance}${use} of ${user} in ${root}`;
}

/** What listens on a port, in words; says so when we may not see it. */
export function describeListener(port: Port): string {
  const listener = listenerOn(port);
  return listener ? `process ${listener.pid} (${listener.command.slice(0, 80)})` : "another user's process";
}

export function portInUse(
  port: Port,
  holder: string,
  hint = 'leave --port out to get a free one, or name another',
): AppError {
  return new AppError('PORT_IN_USE', `port ${port} is held by ${holder}`, {
    hint,
    data: { port, holder },
  });
}

/** Ports that Debian's postgresql-common has given to its clusters, stopped ones too. */
function portsOfDebianClusters(): Set<number> {
  const ports = new Set<number>();
  const base = '/etc/postgresql';
  for (const version of listFolder(base)) {
    for (const cluster of listFolder(join(base, version))) {
      let text: string | undefined;
      try {
        text = readText(join(base, version, cluster, 'postgresql.conf'));
      } catch {
        continue; // not ours to read
      }
      const port = /^\s*port\s*=?\s*'?(\d+)/m.exec(text ?? '')?.[1];
      if (port !== undefined) ports.add(Number(port));
    }
  }
  return ports;
}

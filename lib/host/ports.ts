import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { commandLine } from './processes.ts';
import { asCaller } from './users.ts';

declare const portBrand: unique symbol;
/** A TCP port, 1024 to 65535. Made by `parsePort` in lib/ports. */
export type Port = number & { [portBrand]: true };

/**
 * True when the port can be bound on the wildcard and on every address of this machine, IPv4 and IPv6. get-port tries them
 * all; it also remembers what it gave out, which our leases do better, so that memory is cleared.
 */
export async function isBindable(port: Port): Promise<boolean> {
  const { default: getPort, clearLockedPorts } = await import('get-port');
  const given = await getPort({ port });
  clearLockedPorts();
  return given === port;
}

export interface Listener {
  pid: number;
  /** The program and its arguments. */
  command: string;
}

/** The process that listens on a port, as far as we may see it (root sees all; others their own). Linux only. */
export function listenerOn(port: number): Listener | undefined {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listeningInodes(file, port)));
  if (inodes.size === 0) return undefined;
  return asCaller(() => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      if (openSockets(pid).some((inode) => inodes.has(inode))) {
        return { pid: Number(pid), command: commandLine(Number(pid)).join(' ') };
      }
    }
    return undefined;
  });
}

/** Columns of /proc/net/tcp (proc(5)): local address with the port in hex, state 0A = LISTEN, inode. */
function listeningInodes(file: string, port: number): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) && fields[3] === '0A')
    .flatMap((fields) => (fields[9] === undefined ? [] : [fields[9]]));
}

function openSockets(pid: string): string[] {
  const folder = `/proc/${pid}/fd`;
  const names = tolerant(() => readdirSync(folder)) ?? [];
  return names.flatMap((fd) => {
    // One that has been closed meanwhile says nothing of the others.
    const inode = /^socket:\[(\d+)\]$/.exec(tolerant(() => readlinkSync(`${folder}/${fd}`)) ?? '')?.[1];
    return inode === undefined ? [] : [inode];
  });
}

/** What `look` finds, or undefined where the process is gone or not ours to see. */
function tolerant<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import getPort, { clearLockedPorts } from 'get-port';
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
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const match = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`));
      return match?.[1] === undefined ? [] : [match[1]];
    });
  } catch {
    return [];
  }
}

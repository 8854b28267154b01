import { availableParallelism, totalmem } from 'node:os';
import { readText } from '../host/files.ts';
import { limitFiles } from './cgroups.ts';
import { bytes, type Bytes } from './sizes.ts';
import type { HostFacts } from './types.ts';

export type { HostFacts } from './types.ts';

/** Observes the host. Reads /proc and /sys only; where there is no /proc (macOS), the machine's memory counts. */
export function readHostFacts(): HostFacts {
  return { memoryBytes: effectiveMemory(readQuietly, totalmem()), cores: availableParallelism() };
}

/** A limit that may not be read (a hidden /sys) is no reason to refuse work: it counts as none. */
function readQuietly(path: string): string | undefined {
  try {
    return readText(path);
  } catch {
    return undefined;
  }
}

export type ReadFile = (path: string) => string | undefined;

/** Memory that this process's group may use, in bytes. Pure but for `read`. */
export function effectiveMemory(read: ReadFile, fallbackBytes: number): Bytes {
  const total = memTotalBytes(read('/proc/meminfo') ?? '') ?? fallbackBytes;
  const files = limitFiles(read('/proc/self/cgroup') ?? '', read('/proc/self/mountinfo') ?? '');
  const limits = files.map((file) => limitBytes(read(file))).filter((limit) => limit !== undefined);
  return bytes(Math.min(total, ...limits));
}

function memTotalBytes(meminfo: string): number | undefined {
  const kilobytes = /^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/**
 * What memory.max or memory.limit_in_bytes says. "max" is no limit; neither is version 1's 2^63 less a page, which read as
 * a number gave a container 8,388,608 TB (timescaledb-docker#54).
 */
export function limitBytes(text: string | undefined): number | undefined {
  const word = text?.trim() ?? '';
  if (!/^\d+$/.test(word)) return undefined;
  const limit = Number(word);
  return limit > 0 && limit < 2 ** 60 ? limit : undefined;
}

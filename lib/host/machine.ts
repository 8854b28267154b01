import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { readSystemFile } from './inspect.ts';

/** This machine, as others may know it. */
export interface Machine {
  /** The same for as long as its system is installed. */
  id: string;
  /** For people. */
  host: string;
}

/**
 * Made of /etc/machine-id, which is not to be shown to others itself (systemd's machine-id(5)). Undefined where there is none, as
 * in many containers, whose host name changes whenever they are made anew.
 */
export function thisMachine(): Machine | undefined {
  const text = readSystemFile('/etc/machine-id')?.trim() ?? '';
  if (!/^[0-9a-f]{32}$/.test(text)) return undefined;
  return { id: createHash('sha256').update(`pg-manage ${text}`).digest('hex').slice(0, 32), host: hostname() };
}

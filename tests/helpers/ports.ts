import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultRange } from '../../lib/ports/leases.ts';
import type { Sandbox } from './cli.ts';

/**
 * Leaves a sandbox half of the default range, which commands without --port-range choose from: the other half is leased to
 * somebody else there. Sandboxes of another worker, whose leases are elsewhere, have that one. Its host folder must be there.
 */
export function leaveHalfOfPorts(sandbox: Sandbox): void {
  const worker = Number(process.env['JEST_WORKER_ID'] ?? 1);
  for (let port: number = defaultRange.first; port <= defaultRange.last; port++) {
    if (port % 2 === worker % 2) continue;
    const holder = {
      purpose: 'gui',
      instanceId: `other-${port}`,
      instance: 'other',
      root: '/elsewhere',
      user: 'nobody',
    };
    const lease = { schema: 1, port, ...holder, since: new Date().toISOString() };
    writeFileSync(join(sandbox.host, 'leases', `${port}.json`), JSON.stringify(lease));
  }
}

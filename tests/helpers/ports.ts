import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { defaultRange } from '../../lib/ports/leases.ts';
import type { Sandbox } from './cli.ts';

/** Ports of one test's own, from the first to the last. */
export interface ClaimedPorts {
  first: number;
  last: number;
  /** For `--port-range`. */
  range: string;
  release(): void;
}

/**
 * Nineteen ports that no other test on this machine has, of this run or of another: it holds them who listens on the
 * twentieth. Leases cannot do that, as each sandbox has its own; nor can a server, whose port is free while it is stopped.
 */
export async function claimPorts(): Promise<ClaimedPorts> {
  for (;;) {
    const first = 15_000 + 20 * randomInt(880); // below 32768, where the system takes ports for connections
    const last = first + 18;
    const guard = createServer()
      .unref()
      .listen(last + 1, '127.0.0.1');
    const mine = await once(guard, 'listening').then(
      () => true,
      () => false, // somebody else's
    );
    if (mine) return { first, last, range: `${first}-${last}`, release: () => void guard.close() };
  }
}

/** Who among the test files has commands without --port-range, which choose from the default range. */
const sharers = ['session', 'server', 'data'] as const;

/**
 * Leaves a sandbox its share of the default range: all else is leased to somebody else there, so that no two files, whose
 * leases are apart, choose one port. Its host folder must be there.
 */
export function leaveShareOfPorts(sandbox: Sandbox, sharer: (typeof sharers)[number]): void {
  const leases = join(sandbox.host, 'leases');
  mkdirSync(leases, { recursive: true });
  chmodSync(leases, 0o777);
  for (let port: number = defaultRange.first; port <= defaultRange.last; port++) {
    if (port % sharers.length === sharers.indexOf(sharer)) continue;
    const holder = {
      purpose: 'gui',
      instanceId: `other-${port}`,
      instance: 'other',
      root: '/elsewhere',
      user: 'nobody',
    };
    const lease = { schema: 1, port, ...holder, since: new Date().toISOString() };
    writeFileSync(join(leases, `${port}.json`), JSON.stringify(lease));
  }
}

import { inspectPorts, type PortRow } from '../instances/ports.ts';
import type { Places } from '../instances/places.ts';
import type { Leases } from '../ports/leases.ts';
import { type Finding, host, manage } from './finding.ts';

/** @param places only the leases of this root are judged; others are not ours to mend */
export async function inspectLeases(places: Places, leases: Leases): Promise<Finding[]> {
  const rows = await inspectPorts(places, leases);
  return judgeLeases(rows.filter(({ root }) => root === places.root));
}

export function judgeLeases(rows: readonly PortRow[]): Finding[] {
  return rows.flatMap(({ port, instance, finding, listener }): Finding[] => {
    switch (finding) {
      case 'ok':
        return [];
      case 'stranger': {
        const who =
          listener === null ? "another user's process" : `process ${listener.pid} (${listener.command.slice(0, 60)})`;
        const cause = `${who} listens on port ${port}, which is held for this instance: it cannot be started there.`;
        const remedy = manage('start', instance, '--port auto');
        return [{ code: 'PORT_STRANGER', severity: 'critical', subject: instance, cause, remedy }];
      }
      case 'orphan': {
        const cause = `port ${port} is held for ${instance}, which is not there.`;
        const fix = { kind: 'release-lease', port } as const;
        return [{ code: 'LEASE_ORPHAN', severity: 'warning', subject: host, cause, remedy: manage('recover'), fix }];
      }
      case 'unleased': {
        const cause = `port ${port} is not held for this instance: another one may be given it.`;
        const fix = { kind: 'renew-lease', instance } as const;
        const remedy = manage('diagnose', instance, '--fix');
        return [{ code: 'LEASE_MISSING', severity: 'warning', subject: instance, cause, remedy, fix }];
      }
    }
  });
}

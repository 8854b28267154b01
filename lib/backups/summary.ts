import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { listBackups } from './catalogue.ts';

export interface LastBackups {
  lastBackup: { id: string; state: string; finishedAt: string } | null;
  lastVerifiedBackup: { id: string; verifiedAt: string; restoreSeconds: number | null } | null;
}

/** What status and list say of an instance's backups. */
export function lastBackups(places: Places, name: InstanceName): LastBackups {
  const backups = listBackups(places, name);
  const last = backups.at(-1);
  const verified = backups.findLast((backup) => backup.state === 'verified');
  return {
    lastBackup: last ? { id: last.id, state: last.state, finishedAt: last.finishedAt } : null,
    lastVerifiedBackup: verified?.verification
      ? {
          id: verified.id,
          verifiedAt: verified.verification.verifiedAt,
          restoreSeconds: verified.verification.restoreSeconds,
        }
      : null,
  };
}

import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { listBriefly, readBackup } from './catalogue.ts';

export interface LastBackups {
  lastBackup: { id: string; state: string; finishedAt: string } | null;
  /** With what its test restore measured: the time to a server that answers, and from a commit to the archive. */
  lastVerifiedBackup: {
    id: string;
    verifiedAt: string;
    level: string | null;
    restoreSeconds: number | null;
    rpoSeconds: number | null;
  } | null;
}

/** What status and list say of an instance's backups. */
export function lastBackups(places: Places, name: InstanceName): LastBackups {
  const backups = listBriefly(places, name);
  const proven = backups.findLast((backup) => backup.state === 'verified');
  const verified = proven && readBackup(places, name, proven.id);
  return {
    lastBackup: backups.at(-1) ?? null,
    lastVerifiedBackup: verified?.verification
      ? {
          id: verified.id,
          verifiedAt: verified.verification.verifiedAt,
          level: verified.verification.level ?? null,
          restoreSeconds: verified.verification.restoreSeconds,
          rpoSeconds: verified.verification.rpoSeconds ?? null,
        }
      : null,
  };
}

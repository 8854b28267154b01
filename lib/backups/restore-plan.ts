import { AppError } from '../errors.ts';
import { compareLsn } from '../postgres/lsn.ts';
import type { Backup } from './catalogue.ts';
import type { ArchivedTimeline } from './wal-check.ts';

export interface RestoreTarget {
  backupId: string | undefined;
  /** A moment, as `parseTime` has checked it. */
  time: string | undefined;
  timeline: number | undefined;
}

export interface RestorePlan {
  backup: Backup;
  /** The timeline to end on. */
  timeline: number;
  time: string | undefined;
  warnings: string[];
}

/**
 * A moment with its time zone, as PostgreSQL reads it too; up to microseconds.
 * @throws BAD_TIME when the zone is missing: "10:42" would mean something else to the server than to the person
 */
export function parseTime(text: string): string {
  const match =
    /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\s*(Z|UTC|[+-](?:0\d|1[0-5])(?::?[0-5]\d)?)?$/i.exec(
      text.trim(),
    );
  const [, day, clock, zone] = match ?? [];
  if (day === undefined || clock === undefined || !isDay(day) || Number.isNaN(Date.parse(`${day}T${clock}Z`))) {
    throw new AppError('BAD_TIME', `"${text}" is no moment`, {
      hint: 'write it as 2026-11-21T10:42:00Z or "2026-11-21 10:42:00+01:00"',
    });
  }
  if (zone === undefined) {
    throw new AppError('BAD_TIME', `"${text}" does not say in which time zone`, {
      hint: `add Z for UTC, or an offset: "${day} ${clock}+01:00"`,
    });
  }
  return `${day}T${clock}${normalZone(zone)}`;
}

/** False for the 30th of February, which Date.parse takes for the 2nd of March. */
function isDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

function normalZone(zone: string): string {
  // A server that is just starting knows no names of zones, not even Z.
  if (/^(Z|UTC)$/i.test(zone)) return '+00:00';
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

/**
 * Chooses the backup to begin from and the timeline to end on. Pure: it is given the catalogue and what the archive holds.
 * A backup serves only when it was finished before the moment wanted, and when the timeline wanted goes through it.
 * @throws BACKUP_NOT_FOUND, RESTORE_TARGET
 */
export function planRestore(
  name: string,
  backups: readonly Backup[],
  archive: readonly ArchivedTimeline[],
  target: RestoreTarget,
): RestorePlan {
  const newest = Math.max(...backups.map((backup) => backup.timeline), ...archive.map((one) => one.timeline));
  const timeline = target.timeline ?? newest;
  const usable = backups.filter((backup) => leadsTo(backup, timeline, archive));
  const last = backups.at(-1);
  if (target.backupId === undefined && usable.length === 0 && last !== undefined) {
    throw new AppError('RESTORE_TARGET', `no backup of ${name} leads to timeline ${timeline}`, {
      hint: `the newest is ${last.id}: restore along its own timeline with --timeline ${last.timeline}`,
    });
  }
  const backup =
    target.backupId === undefined ? newestBefore(name, usable, target.time) : named(name, backups, target.backupId);
  if (!leadsTo(backup, timeline, archive)) {
    throw new AppError(
      'RESTORE_TARGET',
      `backup ${backup.id} is of timeline ${backup.timeline}, which timeline ${timeline} does not go through`,
      {
        hint: `restore along its own timeline with --timeline ${backup.timeline}`,
      },
    );
  }
  if (target.time !== undefined && Date.parse(target.time) < Date.parse(backup.finishedAt)) {
    throw new AppError(
      'RESTORE_TARGET',
      `backup ${backup.id} was finished at ${backup.finishedAt}, after ${target.time}`,
      {
        hint: 'leave --backup-name out: an earlier backup is chosen then, if there is one',
      },
    );
  }
  const warnings = backup.state === 'verified' ? [] : [`backup ${backup.id} is ${backup.state}, not verified`];
  return { backup, timeline, time: target.time, warnings };
}

function leadsTo(backup: Backup, timeline: number, archive: readonly ArchivedTimeline[]): boolean {
  if (backup.timeline === timeline) return true;
  const ancestors = archive.find((one) => one.timeline === timeline)?.ancestors ?? [];
  return ancestors.some(
    (branch) => branch.timeline === backup.timeline && compareLsn(branch.leftAt, backup.stopLsn) >= 0,
  );
}

function named(name: string, backups: readonly Backup[], id: string): Backup {
  const found =
    id === 'latest'
      ? backups.findLast((backup) => backup.state !== 'failed')
      : backups.find((backup) => backup.id === id);
  if (found !== undefined) return found;
  const known = backups.slice(-5).map((backup) => backup.id);
  throw new AppError('BACKUP_NOT_FOUND', `instance ${name} has no backup "${id}"`, {
    hint: known.length === 0 ? 'there are none' : `the newest are: ${known.join(', ')}`,
  });
}

function newestBefore(name: string, backups: readonly Backup[], time: string | undefined): Backup {
  const sound = backups.filter((backup) => backup.state !== 'failed');
  const limitMs = time === undefined ? Infinity : Date.parse(time);
  const found = sound.findLast((backup) => Date.parse(backup.finishedAt) <= limitMs);
  if (found !== undefined) return found;
  const first = sound[0];
  if (first === undefined) {
    throw new AppError('BACKUP_NOT_FOUND', `instance ${name} has no backup to restore`, {
      hint:
        backups.length > 0
          ? 'those it has failed their verification; name one with --backup-name to use it all the same'
          : 'there are none',
    });
  }
  throw new AppError('RESTORE_TARGET', `no backup of ${name} was finished before ${time}`, {
    hint: `the earliest moment that can be restored is ${first.finishedAt}`,
  });
}

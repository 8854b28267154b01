import { AppError } from '../errors.ts';
import {
  type ArchiveSpans,
  beginsBefore,
  describeRange,
  rangeStart,
  type SegmentRange,
  spansAlong,
} from './archive-spans.ts';
import type { Backup } from './catalogue.ts';
import { describeTarget, precedes, type RestoreTarget } from './restore-target.ts';
import { leadsTo, timelineNow, type Timelines } from './timelines.ts';

export interface RestoreWish {
  backupId: string | undefined;
  target: RestoreTarget;
  timeline: number | undefined;
}

export interface RestorePlan {
  backup: Backup;
  /** The timeline to end on. */
  timeline: number;
  target: RestoreTarget;
  /** The WAL on the way, and what of it is missing. */
  wal: ArchiveSpans;
  warnings: string[];
}

/**
 * Chooses the backup to begin from and the timeline to end on. Pure: it is given the catalogue and what the archive holds.
 * A backup serves only when it was whole before the target, and when the timeline wanted goes through it. WAL that is known to be
 * missing on the way is refused: the server would take the hole for the end.
 * @throws BACKUP_NOT_FOUND, RESTORE_TARGET
 */
export function planRestore(
  name: string,
  backups: readonly Backup[],
  timelines: Timelines,
  wish: RestoreWish,
): RestorePlan {
  const { target } = wish;
  const { archive } = timelines;
  const timeline = wish.timeline ?? timelineNow(backups, timelines);
  const usable = backups.filter((backup) => leadsTo(backup, timeline, archive));
  const last = backups.at(-1);
  if (wish.backupId === undefined && usable.length === 0 && last !== undefined) {
    throw new AppError('RESTORE_TARGET', `no backup of ${name} leads to timeline ${timeline}`, {
      hint: `the newest is ${last.id}: restore along its own timeline with --timeline ${last.timeline}`,
    });
  }
  const backup = wish.backupId === undefined ? newestBefore(name, usable, target) : named(name, backups, wish.backupId);
  if (!leadsTo(backup, timeline, archive)) {
    throw new AppError(
      'RESTORE_TARGET',
      `backup ${backup.id} is of timeline ${backup.timeline}, which timeline ${timeline} does not go through`,
      {
        hint: `restore along its own timeline with --timeline ${backup.timeline}`,
      },
    );
  }
  const before = precedes(backup, target);
  if (before === false) {
    const [ended, wanted] = [endOf(backup, target), describeTarget(target)];
    throw new AppError('RESTORE_TARGET', `backup ${backup.id} was finished at ${ended}, after ${wanted}`, {
      hint: 'leave --backup-name out: an earlier backup is chosen then, if there is one',
    });
  }
  const wal = target.kind === 'immediate' ? noWal : spansAlong(backup, timeline, archive);
  const warnings = [
    ...(backup.state === 'verified' ? [] : [`backup ${backup.id} is ${backup.state}, not verified`]),
    ...(before === undefined
      ? [`nobody can tell whether backup ${backup.id} was finished before ${describeTarget(target)}`]
      : []),
    ...(wish.timeline === undefined ? doubtTimeline(backups, timelines, timeline) : []),
    ...judgeGaps(backup, target, wal.gaps),
  ];
  return { backup, timeline, target, wal, warnings };
}

/** Where there is no data to say which timeline was written last, the newest may be of a restore that was undone. */
function doubtTimeline(backups: readonly Backup[], { archive, present }: Timelines, timeline: number): string[] {
  const newest = backups.findLast(({ state }) => state !== 'failed');
  if (present !== undefined || newest === undefined || leadsTo(newest, timeline, archive)) return [];
  return [
    `timeline ${timeline}, the newest, does not go through backup ${newest.id}: where a restore was undone, what was written last is on --timeline ${newest.timeline}`,
  ];
}

const noWal: ArchiveSpans = { spans: [], gaps: [] };

/**
 * @returns what is to be said of gaps that may lie behind the target
 * @throws RESTORE_TARGET where the first one surely lies before it
 */
function judgeGaps(backup: Backup, target: RestoreTarget, [gap]: readonly SegmentRange[]): string[] {
  if (gap === undefined) return target.kind === 'before-gap' ? ['the archive has no gap: this goes to its end'] : [];
  const { segmentBytes } = backup;
  const begins = rangeStart(gap, segmentBytes);
  const missing = `${describeRange(gap, segmentBytes)} is missing from the archive`;
  const known = target.kind === 'lsn' || target.kind === 'name' ? target.lsn : undefined;
  const behind = known === undefined ? target.kind === 'latest' : beginsBefore(gap, known, segmentBytes);
  if (behind) {
    throw new AppError(
      'RESTORE_TARGET',
      `${missing}: no recovery from backup ${backup.id} gets past ${begins}, and ${describeTarget(target)} is behind it`,
      {
        hint: 'go as far as it leads with --to before-gap, or begin from a backup taken after the gap',
        data: { gap: describeRange(gap, segmentBytes), gapLsn: begins },
      },
    );
  }
  const certain = known !== undefined || target.kind === 'before-gap';
  return certain ? [] : [`${missing}: this fails where ${describeTarget(target)} is behind ${begins}`];
}

function endOf(backup: Backup, { kind }: RestoreTarget): string {
  return kind === 'time' ? backup.finishedAt : backup.stopLsn;
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

/** The newest one that surely was whole before the target; where nobody can tell of any, the oldest. */
function newestBefore(name: string, backups: readonly Backup[], target: RestoreTarget): Backup {
  const sound = backups.filter((backup) => backup.state !== 'failed');
  const found =
    sound.findLast((backup) => precedes(backup, target) === true) ??
    sound.find((backup) => precedes(backup, target) === undefined);
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
  throw new AppError('RESTORE_TARGET', `no backup of ${name} was finished before ${describeTarget(target)}`, {
    hint:
      target.kind === 'xid'
        ? `the earliest transaction that can be restored is ${first.nextXid}`
        : `the earliest ${target.kind === 'time' ? 'moment' : 'position'} that can be restored is ${endOf(first, target)}`,
  });
}

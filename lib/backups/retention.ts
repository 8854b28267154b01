import { basename } from 'node:path';
import { parseSegmentName, segmentNumber } from '../postgres/wal.ts';
import type { Backup } from './catalogue.ts';
import { leadsTo, timelineNow, type Timelines } from './timelines.ts';

export interface RetentionPolicy {
  /** Every moment of so many days stays restorable. */
  days: number | undefined;
  /** So many backups stay, whatever their age. */
  keep: number | undefined;
}

export type Retained = Pick<
  Backup,
  'id' | 'state' | 'finishedAt' | 'startLsn' | 'stopLsn' | 'timeline' | 'segmentBytes' | 'pinned'
> & {
  instance: { id: string };
};

export interface RetentionFacts {
  /** Oldest first by when they were finished, those of earlier instances of the name among them. */
  backups: readonly Retained[];
  /** Whose archive it is. */
  instanceId: string;
  /** The names of the files in the archive, those of its tail with their folders. */
  archive: readonly string[];
  /** What these are, by timeline. */
  timelines: Timelines;
  nowMs: number;
  /** Why nothing may be removed at all, where that is so. */
  frozen: string | undefined;
}

export interface Verdict {
  id: string;
  kept: boolean;
  /** Why; never empty. */
  reasons: string[];
}

export interface RetentionPlan {
  /** One for each backup, in their order. */
  verdicts: Verdict[];
  /** The files of the archive that no kept backup can ask for. */
  wal: string[];
}

const dayMs = 24 * 60 * 60 * 1000;

/**
 * What of an instance's backups and WAL is kept, and why. Pure. Whatever the policy, the newest verified backup that leads to
 * what the instance holds now is kept, and all WAL from its start on; while there is none, everything is.
 */
export function planRetention(facts: RetentionFacts, policy: RetentionPolicy): RetentionPlan {
  const { backups, instanceId, timelines } = facts;
  const own = backups.filter((backup) => backup.instance.id === instanceId);
  const proven = newestProven(own, timelines);
  const verdicts = backups.map((backup): Verdict => {
    const reasons = reasonsToKeep(backup, facts, own, proven, policy);
    if (reasons.length > 0) return { id: backup.id, kept: true, reasons };
    return { id: backup.id, kept: false, reasons: reasonsToGo(backup, facts, policy, proven) };
  });
  const kept = own.filter(({ id }) => verdicts.some((verdict) => verdict.id === id && verdict.kept));
  const stands = facts.frozen !== undefined || proven === undefined;
  return { verdicts, wal: stands ? [] : unneededWal(facts.archive, kept, proven) };
}

/**
 * The newest verified backup on the way to the timeline that the data is on: after a restore in place, those of the replaced
 * data may be newer, and bring nothing back of what was written since.
 */
export function newestProven<T extends Pick<Retained, 'state' | 'timeline' | 'stopLsn'>>(
  own: readonly T[],
  timelines: Timelines,
): T | undefined {
  const now = timelineNow(own, timelines);
  return own.findLast((backup) => backup.state === 'verified' && leadsTo(backup, now, timelines.archive));
}

function reasonsToKeep(
  backup: Retained,
  { instanceId, frozen, nowMs, timelines }: RetentionFacts,
  own: readonly Retained[],
  proven: Retained | undefined,
  { days, keep }: RetentionPolicy,
): string[] {
  if (frozen !== undefined) return [frozen];
  if (backup.instance.id !== instanceId) return ['of an earlier instance of this name: only delete-backup removes it'];
  const reasons = backup.pinned ? ['pinned'] : [];
  if (days === undefined && keep === undefined) return [...reasons, 'no rule says that it may go'];
  const way = timelines.archive.length > 1 ? ` on the way to timeline ${timelineNow(own, timelines)}` : '';
  if (proven === undefined) return [...reasons, `nothing${way} is verified yet, so nothing is removed`];
  if (backup.id === proven.id) reasons.push(`the newest verified one${way}`);
  if (own.indexOf(backup) > own.indexOf(proven)) {
    reasons.push(
      backup.state === 'failed' ? 'failed, and nothing newer is verified' : 'newer than the newest verified one',
    );
  }
  // Failed ones neither count nor serve.
  const sound = own.filter(({ state }) => state !== 'failed');
  const newer = sound.length - 1 - sound.indexOf(backup);
  if (backup.state === 'failed') return reasons;
  if (keep !== undefined && newer < keep) reasons.push(`number ${newer + 1} of the ${keep} newest`);
  if (days !== undefined) {
    const beginMs = nowMs - days * dayMs;
    const before = sound.filter(({ finishedAt }) => Date.parse(finishedAt) <= beginMs);
    if (!before.includes(backup)) reasons.push(`${ageOf(backup, nowMs)}, within ${days} days`);
    else if (beginsWindow(backup, before, timelines.archive, timelineNow(own, timelines)))
      reasons.push(`the moments from ${days} days ago on are restored from it`);
  }
  return reasons;
}

/**
 * Whether moments of the window are restored from a backup from before it: of all those, it is the newest that leads to a
 * timeline which was still written then. A timeline has ended when there is a backup of a later one, unless the data is on it.
 */
function beginsWindow(
  backup: Retained,
  before: readonly Retained[],
  archive: Timelines['archive'],
  now: number,
): boolean {
  const latest = Math.max(...before.map(({ timeline }) => timeline));
  const written = [now, latest, ...archive.map(({ timeline }) => timeline).filter((timeline) => timeline > latest)];
  return written.some((timeline) => before.findLast((one) => leadsTo(one, timeline, archive)) === backup);
}

function reasonsToGo(
  backup: Retained,
  { nowMs }: RetentionFacts,
  { days, keep }: RetentionPolicy,
  proven: Retained | undefined,
): string[] {
  if (backup.state === 'failed') return [`failed, and ${proven?.id} was verified since`];
  return [
    ...(days === undefined ? [] : [`${ageOf(backup, nowMs)}, and a newer one serves the last ${days} days`]),
    ...(keep === undefined ? [] : [`not among the ${keep} newest`]),
  ];
}

function ageOf({ finishedAt }: Retained, nowMs: number): string {
  const days = (nowMs - Date.parse(finishedAt)) / dayMs;
  return `${days.toFixed(1)} days old`;
}

/**
 * Segments, partial ones and backup labels from before the oldest kept backup's start. Positions only grow along a timeline
 * and all that branch off it, so what has a lower number on any timeline can be asked for by none. Histories are never among
 * them: they are small, and tell which timeline came from which.
 */
export function unneededWal(
  archive: readonly string[],
  kept: readonly Retained[],
  { segmentBytes }: Retained,
): string[] {
  const oldest = kept
    .map((backup) => segmentNumber(backup.startLsn, segmentBytes))
    .reduce((least, number) => (number < least ? number : least));
  return archive.filter((path) => {
    const [name = ''] = basename(path).split('.');
    const segment = parseSegmentName(name, segmentBytes);
    return segment !== undefined && segment.number < oldest;
  });
}

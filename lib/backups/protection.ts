import { segmentName } from '../postgres/wal.ts';
import type { Alarm } from './alarm.ts';
import { describeRange, type SegmentRange, spansAlong } from './archive-spans.ts';
import type { Backup } from './catalogue.ts';
import type { Proof } from './proof.ts';
import type { ArchivedTimeline } from './wal-check.ts';

/** A night's backup, and two hours for it. */
export const defaultMaxAgeSeconds = 26 * 3600;

type Known = Pick<Backup, 'id' | 'state' | 'finishedAt' | 'startLsn' | 'stopLsn' | 'timeline' | 'segmentBytes'>;

export interface ProtectionFacts {
  /** Of the present instance, oldest first. */
  backups: readonly Known[];
  archive: readonly ArchivedTimeline[];
  /** When a segment was archived, by its name; undefined where it is not there. */
  archivedAt: (segment: string) => string | undefined;
  /** When a restore replaced the data, if one did. */
  restoredAt: string | undefined;
  alarm: Alarm | undefined;
  proof: Proof | undefined;
  nowMs: number;
  maxAgeSeconds: number;
}

/** How well an instance could be brought back now. */
export interface Protection {
  /** How old the data of the newest verified backup is; null where nothing is verified. */
  verifiedAgeSeconds: number | null;
  stale: boolean;
  /** Why a new backup should be taken now; null where none is due. */
  backupDue: string | null;
  pointInTime: PointInTime;
  alarm: Alarm | null;
  proof: Proof | null;
  /** Why the archive was not proven when it was last tried; null where it was, or a newer backup is verified. */
  unproven: string | null;
}

export interface PointInTime {
  /** `none`: there is no backup to begin from. `broken`: WAL is missing, so later moments are lost until the next backup. */
  state: 'none' | 'whole' | 'broken';
  /** The earliest moment that can be restored; null where there is none. */
  since: string | null;
  /** From when on moments cannot be restored. */
  brokenSince: string | null;
  /** The WAL that is missing. */
  gaps: string[];
}

/** Pure: what was observed comes in, and what is to be said of it goes out. */
export function judgeProtection(facts: ProtectionFacts): Protection {
  const { backups, alarm, proof, nowMs, maxAgeSeconds } = facts;
  const verified = backups.findLast(({ state }) => state === 'verified');
  const ageSeconds = verified && Math.max(0, Math.round((nowMs - Date.parse(verified.finishedAt)) / 1000));
  const pointInTime = judgePointInTime(facts);
  return {
    verifiedAgeSeconds: ageSeconds ?? null,
    stale: ageSeconds === undefined || ageSeconds > maxAgeSeconds,
    backupDue: whyDue(facts, pointInTime),
    pointInTime,
    alarm: alarm ?? null,
    proof: proof ?? null,
    unproven: proof === undefined || proof.ok || (verified?.finishedAt ?? '') > proof.at ? null : proof.detail,
  };
}

function judgePointInTime({ backups, archive, archivedAt }: ProtectionFacts): PointInTime {
  const sound = backups.filter(({ state }) => state !== 'failed');
  const newest = sound.at(-1);
  if (newest === undefined) return { state: 'none', since: null, brokenSince: null, gaps: [] };
  const timeline = Math.max(newest.timeline, ...archive.map((one) => one.timeline));
  const { gaps } = spansAlong(newest, leadsTo(newest, timeline, archive) ? timeline : newest.timeline, archive);
  const since = sound[0]?.finishedAt ?? null;
  const [first] = gaps;
  if (first === undefined) return { state: 'whole', since, brokenSince: null, gaps: [] };
  return {
    state: 'broken',
    since,
    brokenSince: archivedAt(segmentBefore(first, newest.segmentBytes)) ?? newest.finishedAt,
    gaps: gaps.map((gap) => describeRange(gap, newest.segmentBytes)),
  };
}

function leadsTo(backup: Known, timeline: number, archive: readonly ArchivedTimeline[]): boolean {
  const ancestors = archive.find((one) => one.timeline === timeline)?.ancestors ?? [];
  return ancestors.some((branch) => branch.timeline === backup.timeline);
}

function segmentBefore({ timeline, first }: SegmentRange, segmentBytes: number): string {
  return segmentName({ timeline, number: first - 1n }, segmentBytes);
}

function whyDue({ backups, restoredAt }: ProtectionFacts, { state, gaps }: PointInTime): string | null {
  const newest = backups.findLast((one) => one.state !== 'failed');
  if (state === 'broken') return `WAL is missing (${gaps[0]}): what comes after it needs a new backup`;
  if (newest === undefined) return 'there is none yet';
  if (restoredAt !== undefined && newest.finishedAt < restoredAt) {
    return `the data was replaced by a restore at ${restoredAt}, and the backups are of the data before it`;
  }
  return null;
}

/** What `check` complains of, each in a sentence; none where all is well. */
export function complaints({ alarm, stale, verifiedAgeSeconds, pointInTime, unproven }: Protection): string[] {
  const age = verifiedAgeSeconds === null ? undefined : `${(verifiedAgeSeconds / 3600).toFixed(1)} h`;
  const damaged = alarm?.damage.map(({ where, what }) => `damage in ${where}: ${what}`) ?? [];
  return [
    ...damaged,
    ...(stale ? [age === undefined ? 'no backup is verified' : `the newest verified backup is ${age} old`] : []),
    ...(pointInTime.state === 'broken'
      ? [`no moment since ${pointInTime.brokenSince} can be restored: ${pointInTime.gaps.join(', ')} is missing`]
      : []),
    ...(unproven === null ? [] : [`the archive is not proven: ${unproven}`]),
  ];
}

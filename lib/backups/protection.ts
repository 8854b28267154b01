import { segmentName } from '../postgres/wal.ts';
import type { Alarm } from './alarm.ts';
import { describeRange, type SegmentRange, spansAlong } from './archive-spans.ts';
import type { Backup } from './catalogue.ts';
import type { Proof } from './proof.ts';
import { newestProven } from './retention.ts';
import { leadsTo, timelineNow, type Timelines } from './timelines.ts';

/** A night's backup, and two hours for it. */
export const defaultMaxAgeSeconds = 26 * 3600;

type Known = Pick<Backup, 'id' | 'state' | 'finishedAt' | 'startLsn' | 'stopLsn' | 'timeline' | 'segmentBytes'>;

export interface ProtectionFacts {
  /** Of the present instance, oldest first. */
  backups: readonly Known[];
  timelines: Timelines;
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
  /** From when on every moment can be restored, up to `brokenSince`; null where none can. */
  since: string | null;
  /** From when on moments cannot be restored. */
  brokenSince: string | null;
  /** The WAL that is missing. */
  gaps: string[];
}

/** Pure: what was observed comes in, and what is to be said of it goes out. */
export function judgeProtection(facts: ProtectionFacts): Protection {
  const { backups, timelines, alarm, proof, nowMs, maxAgeSeconds } = facts;
  const verified = newestProven(backups, timelines);
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

function judgePointInTime({ backups, timelines, archivedAt }: ProtectionFacts): PointInTime {
  const { archive } = timelines;
  const sound = backups.filter(({ state }) => state !== 'failed');
  const present = timelineNow(sound, timelines);
  const newest = sound.findLast((backup) => leadsTo(backup, present, archive)) ?? sound.at(-1);
  if (newest === undefined) return { state: 'none', since: null, brokenSince: null, gaps: [] };
  const timeline = leadsTo(newest, present, archive) ? present : newest.timeline;
  const gapsAfter = (backup: Known): SegmentRange[] => spansAlong(backup, timeline, archive).gaps;
  const gaps = gapsAfter(newest);
  const [first] = gaps;
  const since = unbrokenSince(
    sound.filter((backup) => leadsTo(backup, timeline, archive)),
    (backup) => gapsAfter(backup)[0]?.first === first?.first,
  );
  if (first === undefined) return { state: 'whole', since, brokenSince: null, gaps: [] };
  return {
    state: 'broken',
    since,
    brokenSince: archivedAt(segmentBefore(first, newest.segmentBytes)) ?? newest.finishedAt,
    gaps: gaps.map((gap) => describeRange(gap, newest.segmentBytes)),
  };
}

/** From the oldest backup on, or from the one after the newest gap between them. */
function unbrokenSince(backups: readonly Known[], isUnbroken: (backup: Known) => boolean): string | null {
  const torn = backups.findLastIndex((backup) => !isUnbroken(backup));
  return backups[torn + 1]?.finishedAt ?? null;
}

function segmentBefore({ timeline, first }: SegmentRange, segmentBytes: number): string {
  return segmentName({ timeline, number: first - 1n }, segmentBytes);
}

function whyDue({ backups, restoredAt }: ProtectionFacts, { state, gaps }: PointInTime): string | null {
  const newest = backups.findLast((one) => one.state !== 'failed');
  if (state === 'broken') return `WAL is missing (${gaps[0]}): what comes after it needs a new backup`;
  if (newest === undefined) return 'there is none yet';
  if (restoredAt !== undefined && newest.finishedAt < restoredAt) {
    return `the data was replaced by a restore at ${restoredAt.slice(0, 19).replace('T', ' ')} UTC, and the backups are of the data before it`;
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

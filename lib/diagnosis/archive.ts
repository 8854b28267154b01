import { findGaps, type ArchivedTimeline, type WalSpan } from '../backups/wal-check.ts';
import type { Stream } from '../backups/stream.ts';
import { lsnBytes, parseLsn } from '../postgres/lsn.ts';
import { defaultSegmentBytes, parseSegmentName, segmentName } from '../postgres/wal.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Finding, humanAge, manage, minuteMs, plural, quoted } from './finding.ts';

/** What pg_stat_archiver and the server's settings say; null where nothing has happened yet. */
export interface ArchiverFacts {
  mode: string;
  lastArchived: string | null;
  archivedMs: number | null;
  lastFailed: string | null;
  failedMs: number | null;
  failures: number;
  /** Null during a recovery. */
  currentLsn: string | null;
  /** Eight hexadecimal digits. */
  timeline: string | null;
  /** How its WAL is received as it is written; absent where no slot is for that. */
  stream?: Stream | undefined;
}

export interface ArchiveFacts {
  name: string;
  folder: string;
  there: boolean;
  writable: boolean;
  /** The other machine that says it is its own, where one does. */
  elsewhere?: { host: string; since: string } | undefined;
  mode: number | undefined;
  /** WAL that waits to be archived, and since when the oldest of it does. */
  waiting: number;
  oldestWaitingMs: number | undefined;
  /** What the archive holds. */
  timelines: readonly ArchivedTimeline[];
  /** Of the newest backup that did not fail, and what the archive that belongs to it holds. */
  backup: { id: string; span: WalSpan; timelines: readonly ArchivedTimeline[] } | undefined;
  /** Absent for a server that does not run or does not answer. */
  archiver: ArchiverFacts | undefined;
  nowMs: number;
}

export function judgeArchive(facts: ArchiveFacts): Finding[] {
  return [
    ...judgeFolder(facts),
    ...judgeMachine(facts),
    ...judgeArchiver(facts),
    ...judgeBacklog(facts),
    ...judgeGaps(facts),
  ];
}

function judgeFolder({ name, folder, there, writable, mode }: ArchiveFacts): Finding[] {
  if (!there) {
    const cause = `the archive folder ${folder} is missing (is the repository mounted?): WAL piles up in the data directory.`;
    const remedy = `ls -ld ${quoted(folder)} ${quoted(folder.replace(/\/[^/]+\/[^/]+$/, ''))}`;
    return [{ code: 'ARCHIVE_MISSING', severity: 'critical', subject: name, cause, remedy }];
  }
  if (writable) return [];
  const bits = mode === undefined ? '' : ` (mode ${mode.toString(8).padStart(4, '0')})`;
  const cause = `the server cannot write to the archive folder ${folder}${bits}: WAL piles up in the data directory.`;
  const locked = mode !== undefined && (mode & 0o300) !== 0o300;
  const remedy = `${locked ? 'chmod 0700' : 'ls -ld'} ${quoted(folder)}`;
  return [{ code: 'ARCHIVE_NOT_WRITABLE', severity: 'critical', subject: name, cause, remedy }];
}

/** What was restored there is the same instance, by its id; each would remove what the other's backups need. */
function judgeMachine({ name, folder, elsewhere }: ArchiveFacts): Finding[] {
  if (elsewhere === undefined) return [];
  const cause = `${folder} is written by the machine ${elsewhere.host} since ${elsewhere.since}, which has restored it or shares the repository.`;
  const remedy = `${manage('backup', name, '--take-over')}  # where ${elsewhere.host} is lost for good`;
  return [{ code: 'ARCHIVE_ELSEWHERE', severity: 'critical', subject: name, cause, remedy }];
}

function judgeArchiver({ name, archiver, timelines, nowMs }: ArchiveFacts): Finding[] {
  if (archiver === undefined) return [];
  const findings: Finding[] = [];
  const add = (finding: Omit<Finding, 'subject'>): void => void findings.push({ ...finding, subject: name });
  const { mode, failedMs, archivedMs, lastFailed, failures } = archiver;
  if (mode === 'off') {
    const cause = 'archive_mode is off: the instance can be restored to the end of a backup only, not to a moment.';
    add({ code: 'ARCHIVE_OFF', severity: 'critical', cause, remedy: manage('restart', name) });
  }
  if (failedMs !== null && failedMs > (archivedMs ?? 0)) {
    const since =
      archivedMs === null ? 'nothing was ever archived' : `the last success was ${humanAge(nowMs - archivedMs)} ago`;
    const cause = `archiving ${lastFailed} failed ${humanAge(nowMs - failedMs)} ago (${plural(failures, 'failure')}); ${since}.`;
    add({ code: 'ARCHIVE_FAILING', severity: 'critical', cause, remedy: manage('logs', name) });
  }
  const lag = lagBytes(archiver, timelines);
  // What is received is in the repository too; how far that is behind is judged with the receiver.
  if (archiver.stream?.streaming !== true && lag !== undefined && lag >= 4 * defaultSegmentBytes) {
    const cause = `the archive is ${humanBytes(lag)} behind the server, which would be lost with its disk.`;
    const severity = lag >= 64 * defaultSegmentBytes ? 'critical' : 'warning';
    add({ code: 'ARCHIVE_LAG', severity, cause, remedy: manage('logs', name) });
  }
  return findings;
}

/** From the end of the newest archived segment of the server's timeline to where the server writes. */
function lagBytes({ currentLsn, timeline }: ArchiverFacts, timelines: readonly ArchivedTimeline[]): number | undefined {
  if (currentLsn === null || timeline === null) return undefined;
  const mine = timelines.find((one) => one.timeline === Number.parseInt(timeline, 16));
  const newest = mine?.numbers.at(-1);
  if (newest === undefined) return undefined;
  return Number(lsnBytes(parseLsn(currentLsn)) - (newest + 1n) * BigInt(defaultSegmentBytes));
}

/** An archiver that died, or a command that ended above 125, counts no failure: only what waits tells of it. */
function judgeBacklog({ name, waiting, oldestWaitingMs, nowMs }: ArchiveFacts): Finding[] {
  const ageMs = oldestWaitingMs === undefined ? 0 : nowMs - oldestWaitingMs;
  if (waiting < 8 && ageMs < 10 * minuteMs) return [];
  return [
    {
      code: 'ARCHIVE_BACKLOG',
      severity: waiting >= 64 ? 'critical' : 'warning',
      subject: name,
      cause: `${plural(waiting, 'WAL file')} (${humanBytes(waiting * defaultSegmentBytes)}) wait to be archived, the oldest for ${humanAge(ageMs)}.`,
      remedy: manage('logs', name),
    },
  ];
}

/** A segment that was archived and is gone, or that is missing between two: no recovery gets past it. */
function judgeGaps({ name, there, backup, archiver, timelines }: ArchiveFacts): Finding[] {
  if (!there) return [];
  const missing = new Set(backup === undefined ? [] : findGaps(backup.span, backup.timelines).missing);
  const last = parseSegmentName(archiver?.lastArchived ?? '', defaultSegmentBytes);
  if (last !== undefined) {
    const numbers = timelines.find(({ timeline }) => timeline === last.timeline)?.numbers ?? [];
    if (!numbers.includes(last.number)) missing.add(segmentName(last, defaultSegmentBytes));
  }
  const [first, ...more] = [...missing].sort();
  if (first === undefined) return [];
  const names = more.length === 0 ? `${first} is` : `${missing.size} segments from ${first} on are`;
  const from = backup === undefined ? '' : `, so backup ${backup.id} cannot be recovered past that`;
  const cause = `${names} missing from the archive${from}; a new backup makes the moments after it recoverable.`;
  return [{ code: 'WAL_GAP', severity: 'critical', subject: name, cause, remedy: manage('backup', name) }];
}

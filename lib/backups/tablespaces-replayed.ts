import { AppError } from '../errors.ts';
import { exists, listFolder } from '../host/files.ts';
import type { Installation } from '../postgres/installations.ts';
import { compareLsn, type Lsn, lsnAt } from '../postgres/lsn.ts';
import { readWal, type WalRecord } from '../postgres/wal-reader.ts';
import { restorePointMade, type TablespaceMade, transactionEnd } from '../postgres/wal-records.ts';
import { tablespacesMade } from '../postgres/waldump.ts';
import type { Task } from '../task.ts';
import { spansAlong } from './archive-spans.ts';
import type { RestorePlan } from './restore-plan.ts';
import { describeTarget, type RestoreTarget } from './restore-target.ts';
import { type PackedWal, unpackedWal } from './unpacked-wal.ts';
import { type ArchivedTimeline, readArchive } from './wal-check.ts';
import { toTail, type WalWanted } from './wal-wanted.ts';

/** What a restore will replay, and where that can be read before it does. */
export interface Replay {
  plan: Pick<RestorePlan, 'backup' | 'timeline' | 'target'>;
  wal: PackedWal;
  /** What is before has been looked at. */
  from: Lsn;
}

/**
 * Sees to it that a recovery writes over nobody's tablespace. WAL names a tablespace by its own path: replaying the making of
 * one puts files there, also where a server of this host has its own (PostgreSQL's documentation, "Caveats" of continuous
 * archiving). Those that the backup knows are mapped; these cannot be, so their folder must be there and empty.
 * @returns from where on WAL that is archived later is still to be looked at
 * @throws RESTORE_TARGET naming the folder, and how far a restore can go
 */
export async function assertTablespacesFree(installation: Installation, replay: Replay, task: Task): Promise<Lsn> {
  const { plan, wal } = replay;
  const there = readArchive(wal.archive, wal.segmentBytes);
  const archive = wal.beside === undefined ? there : joined(there, readArchive(wal.beside, wal.segmentBytes));
  for (const span of spansOf(replay, archive)) {
    for await (const reach of unpackedWal(wal, span, task)) {
      for (const made of await tablespacesMade(installation, reach, task)) {
        const why = whyNotFree(made.folder);
        if (why !== undefined && (await isReplayed(replay, made, archive, task))) throw refusal(plan, made, why);
      }
    }
  }
  return lookedUpTo(replay, archive);
}

/** What two folders of WAL hold together. */
function joined(one: readonly ArchivedTimeline[], other: readonly ArchivedTimeline[]): ArchivedTimeline[] {
  const numbers = ({ timeline }: ArchivedTimeline): bigint[] =>
    [one, other].flatMap((all) => all.find((each) => each.timeline === timeline)?.numbers ?? []);
  const known = [...one, ...other.filter(({ timeline }) => !one.some((each) => each.timeline === timeline))];
  return known
    .map((each) => ({ ...each, numbers: [...new Set(numbers(each))].sort((a, b) => (a < b ? -1 : 1)) }))
    .sort((a, b) => a.timeline - b.timeline);
}

type Span = WalWanted['spans'][number];

function spansOf({ plan, from }: Replay, archive: ArchivedTimeline[]): Span[] {
  const { backup, timeline, target } = plan;
  if (target.kind === 'immediate') return [{ timeline: backup.timeline, from, to: backup.stopLsn }];
  return toTail({ ...backup, startLsn: from }, { archive, present: timeline }).spans;
}

/** The beginning of the segment before the first one that is not there: a record may begin in it, and end behind. */
function lookedUpTo({ plan, from }: Replay, archive: ArchivedTimeline[]): Lsn {
  const { backup, timeline } = plan;
  const { spans, gaps } = spansAlong({ ...backup, stopLsn: from }, timeline, archive);
  const last = spans.at(-1)?.last;
  const next = gaps[0]?.first ?? (last === undefined ? undefined : last + 1n);
  if (next === undefined) return from;
  const looked = lsnAt((next - 1n) * BigInt(backup.segmentBytes));
  return compareLsn(looked, from) > 0 ? looked : from;
}

/** Why nothing may be put there; a folder that is not there would end the recovery. */
function whyNotFree(folder: string): string | undefined {
  if (!exists(folder)) return 'is not there';
  return listFolder(folder).length > 0 ? 'holds files already' : undefined;
}

/** Whether a recovery to the target gets to where a tablespace is made. */
async function isReplayed(
  { plan, wal }: Replay,
  made: TablespaceMade,
  archive: ArchivedTimeline[],
  task: Task,
): Promise<boolean> {
  const { target, backup } = plan;
  // The server ends with the first record that begins at the target or behind it, when it has replayed it.
  const position = target.kind === 'lsn' || target.kind === 'name' ? target.lsn : undefined;
  if (position !== undefined) return compareLsn(made.after, position) < 0;
  if (target.kind !== 'time' && target.kind !== 'xid' && target.kind !== 'name') return true;
  let ended = false;
  // Whoever asks has segments in the other folder still.
  const again = { ...wal, folder: `${wal.folder}-again` };
  const see = (record: WalRecord): void => {
    if (compareLsn(record.lsn, made.lsn) < 0 && endsAt(record, target)) ended = true;
  };
  for (const span of spansOf({ plan, wal, from: backup.startLsn }, archive)) {
    for await (const reach of unpackedWal(again, span, task)) await readWal(reach, see, task.signal);
  }
  return !ended;
}

/** Whether a recovery ends at a record, or before it; where that is not certain, it does not. */
export function endsAt(record: WalRecord, target: RestoreTarget): boolean {
  if (target.kind === 'name') return restorePointMade(record) === target.name;
  const end = transactionEnd(record);
  if (end === undefined) return false;
  if (target.kind === 'xid') return end.xid === Number(BigInt.asUintN(32, target.xid));
  return target.kind === 'time' && end.atMs > Date.parse(target.time) + 1;
}

function refusal({ target }: Replay['plan'], { lsn, after, folder }: TablespaceMade, why: string): AppError {
  const message = `on the way to ${describeTarget(target)}, at ${lsn}, the WAL makes a tablespace in ${folder}, which ${why}`;
  const instead = `end before it with --to-lsn ${after}, or begin from a backup taken after it`;
  const hint =
    why === 'is not there'
      ? `make that folder, empty and for the servers' account alone; or ${instead}`
      : `replaying it would write over them: ${instead}`;
  return new AppError('RESTORE_TARGET', message, { hint, data: { folder, lsn } });
}

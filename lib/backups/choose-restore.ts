import { join } from 'node:path';
import { AppError } from '../errors.ts';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import { type InstanceRecord, readRecord } from '../instances/record.ts';
import { systemIdentifierOf } from '../postgres/postmaster.ts';
import { type Backup, listBackups } from './catalogue.ts';
import { planRestore, type RestorePlan, type RestoreWish } from './restore-plan.ts';
import { restorePoints } from './restore-points.ts';
import type { RestoreTarget } from './restore-target.ts';
import { noTimelines, observeTimelines, type Timelines } from './timelines.ts';
import { type ArchivedTimeline, readArchive } from './wal-check.ts';

export interface Wish extends RestoreWish {
  /** Whether a new instance is made of it. */
  beside: boolean;
}

/**
 * Reads the catalogue and the archive, and plans.
 * @throws BACKUP_NOT_FOUND, RESTORE_TARGET
 */
export function chooseRestore(
  places: Places,
  name: InstanceName,
  wish: Wish,
): { plan: RestorePlan; backups: Backup[] } {
  const all = listBackups(places, name);
  const present = readPresent(places, name);
  const wanted = wish.backupId;
  // Backups of an earlier instance of the same name are there to be named, not to be chosen.
  const id =
    wanted !== undefined && wanted !== 'latest'
      ? all.find((backup) => backup.id === wanted)?.instance.id
      : (present?.id ?? all.at(-1)?.instance.id);
  const backups = all.filter((backup) => backup.instance.id === id);
  if (present !== undefined && id !== undefined && id !== present.id && !wish.beside) {
    throw new AppError('RESTORE_TARGET', `backup ${wanted} is of an earlier instance that was called ${name} too`, {
      hint: 'restore it beside with --as NEW',
    });
  }
  const sample = backups[0];
  const timelines = sample === undefined ? noTimelines : reachableWal(places, sample, wish.beside);
  const target = locate(wish.target, places, name, id);
  const plan = planRestore(name, backups, timelines, { ...wish, target });
  return { plan, backups };
}

/** The archive; and for a restore in place also what the data to be replaced still has, which is taken along. */
function reachableWal(places: Places, { instance, segmentBytes }: Backup, beside: boolean): Timelines {
  const timelines = observeTimelines(places, instance, segmentBytes);
  const { data } = instancePaths(places, instance.name);
  if (beside || systemIdentifierOf(data) !== instance.systemIdentifier) return timelines;
  return { ...timelines, archive: fillFrom(timelines.archive, readArchive(join(data, 'pg_wal'), segmentBytes)) };
}

/** Only what lies before the newest archived segment: a server keeps files for WAL to come under names to come. */
function fillFrom(archive: ArchivedTimeline[], own: ArchivedTimeline[]): ArchivedTimeline[] {
  return archive.map((one) => {
    const newest = one.numbers.at(-1) ?? -1n;
    const more =
      own.find(({ timeline }) => timeline === one.timeline)?.numbers.filter((number) => number < newest) ?? [];
    const numbers = [...new Set([...one.numbers, ...more])].sort((a, b) => (a < b ? -1 : 1));
    return { ...one, numbers };
  });
}

/** Restore points that this tool made have a known place. */
function locate(target: RestoreTarget, places: Places, name: InstanceName, id: string | undefined): RestoreTarget {
  if (target.kind !== 'name' || id === undefined) return target;
  const point = restorePoints(places, name, id).find((one) => one.name === target.name);
  return point === undefined ? target : { ...target, lsn: point.lsn };
}

export function readPresent(places: Places, name: InstanceName): InstanceRecord | undefined {
  try {
    return readRecord(places, name);
  } catch {
    return undefined; // a damaged record is what restore is there to mend
  }
}

import { join } from 'node:path';
import { exists } from '../host/files.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { compareLsn } from '../postgres/lsn.ts';
import { systemIdentifierOf } from '../postgres/postmaster.ts';
import { archiveOfBackup } from './repository.ts';
import { type ArchivedTimeline, readArchive, type WalSpan } from './wal-check.ts';

/** What is known of an instance's timelines. */
export interface Timelines {
  /** Those of its archive, and the present one. */
  archive: ArchivedTimeline[];
  /** The one that its data is on; undefined where there is no data, or it is still recovering. */
  present: number | undefined;
}

export const noTimelines: Timelines = { archive: [], present: undefined };

/**
 * Reads them from the archive and the data. The data is asked since the archive may have a newer timeline than it is on: of a
 * restore that was undone when its server had already begun one. And it may not have the present one yet.
 */
export function observeTimelines(
  places: Places,
  instance: Pick<InstanceRecord, 'name' | 'id' | 'systemIdentifier'>,
  segmentBytes: number,
): Timelines {
  const archive = readArchive(archiveOfBackup(places, instance.name, instance.id), segmentBytes);
  const own = timelineOfData(places, instance, segmentBytes);
  const present = own?.timeline;
  if (own === undefined || archive.some(({ timeline }) => timeline === present)) return { archive, present };
  const all = [...archive, { ...own, numbers: [] }].sort((a, b) => a.timeline - b.timeline);
  return { archive: all, present };
}

function timelineOfData(
  places: Places,
  { name, systemIdentifier }: Pick<InstanceRecord, 'name' | 'systemIdentifier'>,
  segmentBytes: number,
): ArchivedTimeline | undefined {
  const { data } = instancePaths(places, name);
  // The server removes the signal when it has recovered; until then its folder has what was there to be replayed.
  if (systemIdentifierOf(data) !== systemIdentifier || exists(join(data, 'recovery.signal'))) return undefined;
  return readArchive(join(data, 'pg_wal'), segmentBytes).at(-1);
}

/**
 * The timeline that counts: the one the data is on. Where nobody can tell that, the newest: each restore in place begins one
 * with the next number.
 */
export function timelineNow(backups: readonly Pick<WalSpan, 'timeline'>[], { archive, present }: Timelines): number {
  return present ?? Math.max(...backups.map(({ timeline }) => timeline), ...archive.map(({ timeline }) => timeline));
}

/**
 * Whether a recovery from a backup can follow a timeline: its own, or one that left it, at any remove, when the backup was
 * whole. One that was taken of data which a restore has replaced since leads to that data only.
 */
export function leadsTo(
  { timeline, stopLsn }: Pick<WalSpan, 'timeline' | 'stopLsn'>,
  wanted: number,
  archive: readonly ArchivedTimeline[],
): boolean {
  if (timeline === wanted) return true;
  const ancestors = archive.find((one) => one.timeline === wanted)?.ancestors;
  return ancestors?.some((one) => one.timeline === timeline && compareLsn(one.leftAt, stopLsn) >= 0) === true;
}

import { fileSize, freeBytes } from '../host/files.ts';
import { homeOf } from '../instances/home.ts';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import { segmentName } from '../postgres/wal.ts';
import { countSegments, describeRange } from './archive-spans.ts';
import type { Backup } from './catalogue.ts';
import { readProof } from './proof.ts';
import { archiveOfBackup } from './repository.ts';
import type { RestorePlan } from './restore-plan.ts';
import { findStored } from './stored-wal.ts';
import { received } from './tail.ts';

/** What a restore will read, need and take. */
export interface RestorePreview {
  dataBytes: number;
  /** The segments on the way that the archive has; a target before its end needs fewer. */
  walSegments: number;
  /** What they come to once unpacked. */
  walBytes: number;
  /** What they take in the archive now. */
  walStoredBytes: number;
  /** Segments that a receiver has got, in whole or in part, and the archive does not hold. */
  walReceived: number;
  gaps: string[];
  freeBytes: number;
  /** From earlier restores of this instance; null where none was measured. */
  expectedSeconds: number | null;
}

/** @param name what is to be restored: the instance itself, or a new one */
export function previewRestore(
  places: Places,
  plan: RestorePlan,
  name: InstanceName,
  backups: readonly Backup[],
): RestorePreview {
  const { backup, wal } = plan;
  const walSegments = countSegments(wal.spans);
  const walBytes = walSegments * backup.segmentBytes;
  return {
    dataBytes: backup.dataBytes,
    walSegments,
    walBytes,
    walStoredBytes: storedBytes(places, plan),
    walReceived: receivedSegments(places, plan),
    gaps: wal.gaps.map((gap) => describeRange(gap, backup.segmentBytes)),
    freeBytes: freeBytes(homeOf(places, instancePaths(places, name)).scratch),
    expectedSeconds: expectSeconds(backup, walBytes, backups, readProof(places, backup.instance.name)),
  };
}

function receivedSegments(places: Places, { backup, target }: RestorePlan): number {
  if (target.kind === 'immediate' || target.kind === 'before-gap') return 0;
  return received(archiveOfBackup(places, backup.instance.name, backup.instance.id), backup.segmentBytes).length;
}

function storedBytes(places: Places, { backup, wal }: RestorePlan): number {
  const folder = archiveOfBackup(places, backup.instance.name, backup.instance.id);
  let bytes = 0;
  for (const { timeline, first, last } of wal.spans) {
    for (let number = first; number <= last; number++) {
      const file = findStored(folder, segmentName({ timeline, number }, backup.segmentBytes));
      if (file !== undefined) bytes += fileSize(file) ?? 0;
    }
  }
  return bytes;
}

/**
 * The measured restore of this backup, or of the newest one measured, in proportion to its size; and for the WAL, as fast as
 * it was replayed when the archive was proven.
 */
export function expectSeconds(
  backup: Backup,
  walBytes: number,
  backups: readonly Backup[],
  proof: { replayedBytes: number; replaySeconds: number } | undefined,
): number | null {
  const timed = [...backups, backup].flatMap(({ dataBytes, verification }) =>
    typeof verification?.restoreSeconds === 'number' ? { dataBytes, seconds: verification.restoreSeconds } : [],
  );
  const measured = timed.at(-1);
  if (measured === undefined) return null;
  const unpacking = measured.seconds * (measured.dataBytes === 0 ? 1 : backup.dataBytes / measured.dataBytes);
  const replay =
    proof === undefined || proof.replayedBytes === 0 ? 0 : (walBytes / proof.replayedBytes) * proof.replaySeconds;
  return Math.round((unpacking + replay) * 10) / 10;
}

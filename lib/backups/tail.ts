import { join } from 'node:path';
import { fileSize, listFolder, readBytes } from '../host/files.ts';
import { removeFile } from '../host/folders.ts';
import { copyFile } from '../host/for-good.ts';
import { parseSegmentHeader, parseSegmentName, segmentName, type SegmentName } from '../postgres/wal.ts';
import { findStored } from './stored-wal.ts';

/*
 * The tail of an archive: what a receiver (lib/receiver) has got of segments that the server has not archived yet, the one
 * that is being written among them. While the server is there, its own archive_command remains the one way into the archive; a
 * restore without it archives what was received whole, by the same script. Each timeline has a folder of its own, in which its
 * last moments stay when a restore begins another one.
 */

/** A received segment that the archive does not hold. */
export interface Received extends SegmentName {
  /** The name of the segment, whether it is whole or not. */
  name: string;
  path: string;
  /** Whether all of it was received. */
  whole: boolean;
}

export function tailFolder(archive: string, timeline?: number): string {
  const folder = join(archive, 'tail');
  return timeline === undefined ? folder : join(folder, timeline.toString(16).toUpperCase().padStart(8, '0'));
}

/** What pg_receivewal calls a segment until it has all of it. */
const partial = '.partial';

/** All files of segments in the tail, below the archive: `tail/00000001/000000010000000000000005.partial`. */
export function tailFiles(archive: string, segmentBytes: number): string[] {
  return listFolder(tailFolder(archive)).flatMap((timeline) =>
    listFolder(join(tailFolder(archive), timeline))
      .filter((file) => parseReceived(file, segmentBytes) !== undefined)
      .map((file) => join('tail', timeline, file)),
  );
}

/** The segments that only the tail holds, of all timelines, in order. */
export function received(archive: string, segmentBytes: number): Received[] {
  return tailFiles(archive, segmentBytes)
    .map((file) => ({ path: join(archive, file), ...(parseReceived(file, segmentBytes) as SegmentName) }))
    .map((one) => ({ ...one, name: segmentName(one, segmentBytes), whole: !one.path.endsWith(partial) }))
    .filter(({ name }) => findStored(archive, name) === undefined);
}

/** Those with which a timeline goes on behind its newest archived segment, without a gap. */
export function tailAfter(
  archive: string,
  { timeline, lastNumber }: { timeline: number; lastNumber?: bigint | undefined },
  segmentBytes: number,
): Received[] {
  const own = received(archive, segmentBytes).filter((one) => one.timeline === timeline);
  const first = lastNumber === undefined ? own[0]?.number : lastNumber + 1n;
  return own
    .filter(({ number }) => first !== undefined && number >= first)
    .filter(({ number }, index) => number === (first ?? 0n) + BigInt(index));
}

/**
 * Puts what only the tail holds where a recovery looks for it when the archive has no more: as whole segments, which end in zeros.
 * What is of another database system, or of another place than its name says, is left out.
 * @returns the names of those
 */
export function copyTail(
  files: readonly Received[],
  folder: string,
  { systemIdentifier, segmentBytes }: { systemIdentifier: string; segmentBytes: number },
): string[] {
  const refused: string[] = [];
  for (const { path, name, number } of files) {
    const head = readBytes(path, 0, 40) ?? Buffer.alloc(0);
    // Nothing has been received into it yet.
    if (head.every((byte) => byte === 0)) continue;
    const header = parseSegmentHeader(head);
    const isOurs =
      fileSize(path) === segmentBytes &&
      header?.systemIdentifier === systemIdentifier &&
      header.pageAddress === number * BigInt(segmentBytes);
    if (!isOurs) {
      refused.push(name);
      continue;
    }
    removeFile(join(folder, name));
    copyFile(path, join(folder, name));
  }
  return refused;
}

/** Removes what the archive holds too. To be called while no receiver is at work. */
export function pruneTail(archive: string, segmentBytes: number): void {
  const kept = new Set(received(archive, segmentBytes).map(({ path }) => path));
  for (const file of tailFiles(archive, segmentBytes)) {
    if (!kept.has(join(archive, file))) removeFile(join(archive, file));
  }
}

function parseReceived(file: string, segmentBytes: number): SegmentName | undefined {
  const name = file.slice(file.lastIndexOf('/') + 1);
  return parseSegmentName(name.endsWith(partial) ? name.slice(0, -partial.length) : name, segmentBytes);
}

import { join } from 'node:path';
import { ensureFolder, link, removeFolder } from '../host/folders.ts';
import { run } from '../host/programs.ts';
import { codecOf } from '../postgres/codecs.ts';
import { lsnAt, type Lsn, lsnBytes } from '../postgres/lsn.ts';
import { lastSegmentNumber, segmentName, segmentNumber } from '../postgres/wal.ts';
import type { WalReach } from '../postgres/wal-reader.ts';
import type { Task } from '../task.ts';
import { findStored } from './stored-wal.ts';

export interface PackedWal {
  archive: string;
  /** Where segments are that the archive has not, stored plainly. */
  beside?: string;
  segmentBytes: number;
  /** The script that fetches a segment and unpacks it. */
  restoreScript: string;
  /** Where segments are put while they are read. */
  folder: string;
}

/** So many are unpacked at once: an archive may be larger, unpacked, than the disk. */
const atOnce = 8;

/**
 * Gives WAL of an archive to be read by programs that know nothing of compression: all of it in one where it is stored
 * plainly, else a few unpacked segments at a time, of which each lot begins with the last one of the lot before, since a record
 * may begin in that. Ends where a segment is missing.
 * @throws PROGRAM_FAILED naming a segment that cannot be unpacked
 */
export async function* unpackedWal(
  wal: PackedWal,
  reach: Omit<WalReach, 'folder'>,
  task: Task,
): AsyncGenerator<WalReach> {
  const { archive, segmentBytes, folder } = wal;
  const files = storedAlong(wal, reach);
  const startOf = (number: bigint): Lsn => lsnAt(number * BigInt(segmentBytes));
  // No reader is to look for the segment behind the last: pg_waldump would wait five seconds for it (its WALDumpOpenSegment).
  const endOf = (lot: StoredFile[]): Lsn => earlier(reach.to, startOf((lot.at(-1)?.number ?? 0n) + 1n));
  if (wal.beside === undefined && files.every(({ path }) => codecOf(path) === 'none')) {
    if (files.length > 0) yield { ...reach, folder: archive, to: endOf(files) };
    return;
  }
  for (let at = 0; at < files.length; at += atOnce) {
    const lot = files.slice(Math.max(0, at - 1), at + atOnce);
    ensureFolder(folder);
    for (const file of lot) await unpack(wal, file, task);
    yield { ...reach, folder, from: later(reach.from, startOf(lot[0]?.number ?? 0n)), to: endOf(lot) };
    await removeFolder(folder);
  }
}

interface StoredFile {
  number: bigint;
  name: string;
  path: string;
}

/** The segments of a reach without a gap, from its start on. */
function storedAlong({ archive, beside, segmentBytes }: PackedWal, { timeline, from, to }: Omit<WalReach, 'folder'>) {
  const last = to === undefined ? undefined : lastSegmentNumber(to, segmentBytes);
  const files: StoredFile[] = [];
  for (let number = segmentNumber(from, segmentBytes); last === undefined || number <= last; number++) {
    const name = segmentName({ timeline, number }, segmentBytes);
    const path = findStored(archive, name) ?? (beside === undefined ? undefined : findStored(beside, name));
    if (path === undefined) break;
    files.push({ number, name, path });
  }
  return files;
}

async function unpack({ archive, restoreScript, folder }: PackedWal, { name, path }: StoredFile, { signal }: Task) {
  if (codecOf(path) === 'none') return link(path, join(folder, name));
  await run(restoreScript, [name, join(folder, name), archive], { signal, timeoutMs: 600_000 });
}

function earlier(a: Lsn | undefined, b: Lsn): Lsn {
  return a !== undefined && lsnBytes(a) < lsnBytes(b) ? a : b;
}

function later(a: Lsn, b: Lsn): Lsn {
  return lsnBytes(a) > lsnBytes(b) ? a : b;
}

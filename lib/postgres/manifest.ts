import { join } from 'node:path';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { readJson } from '../host/files.ts';
import { run } from '../host/programs.ts';
import type { Task } from '../task.ts';
import { has, type Installation, program } from './installations.ts';
import { type Lsn, parseLsn } from './lsn.ts';
import { findWrong } from './manifest-check.ts';
import { readWal } from './wal-reader.ts';

const manifestSchema = z.object({
  Files: z.array(z.object({ Path: z.string().optional(), Size: z.number() })),
  'WAL-Ranges': z.array(z.object({ Timeline: z.number(), 'Start-LSN': z.string(), 'End-LSN': z.string() })).min(1),
});

export interface Manifest {
  timeline: number;
  startLsn: Lsn;
  stopLsn: Lsn;
  /** What the data comes to when unpacked, without WAL. */
  dataBytes: number;
}

function manifestOf(path: string): z.output<typeof manifestSchema> {
  const manifest = readJson(path, manifestSchema);
  if (manifest === undefined) throw new AppError('FILE_DAMAGED', `${path} is missing`);
  return manifest;
}

/** Reads what a backup says of itself (PostgreSQL's documentation, "Backup Manifest Format"). @throws FILE_DAMAGED */
export function readManifest(path: string): Manifest {
  const manifest = manifestOf(path);
  const [range] = manifest['WAL-Ranges'].slice(-1);
  if (range === undefined) throw new AppError('FILE_DAMAGED', `${path} names no WAL`);
  return {
    timeline: range.Timeline,
    startLsn: parseLsn(range['Start-LSN']),
    stopLsn: parseLsn(range['End-LSN']),
    dataBytes: manifest.Files.reduce((sum, { Size }) => sum + Size, 0),
  };
}

const limitMs = 24 * 60 * 60 * 1000;

/**
 * Compares an unpacked backup with its manifest, every file by checksum, and parses the WAL it needs; by pg_verifybackup
 * where that is installed.
 * @throws PROGRAM_FAILED whose output names the file, FILE_DAMAGED naming it
 */
export async function verifyUnpacked(
  installation: Installation,
  dataDirectory: string,
  task: Task,
  least = worthTwo,
): Promise<void> {
  if (!has(installation, 'pg_verifybackup')) return await verifyByOurselves(dataDirectory, task.signal);
  const verifyBut = async (ignored: readonly string[], ...options: string[]): Promise<unknown> => {
    // tablespace_map was rewritten when the tablespaces were put elsewhere.
    const ignore = ['tablespace_map', ...ignored].map((path) => `--ignore=${path}`);
    const args = ['--quiet', ...options, ...ignore, dataDirectory];
    return await run(program(installation, 'pg_verifybackup'), args, { signal: task.signal, timeoutMs: limitMs });
  };
  const { Files } = manifestOf(join(dataDirectory, 'backup_manifest'));
  const [some = [], others] = halves(Files, least);
  const both = [verifyBut(some), ...(others === undefined ? [] : [verifyBut(others, '--no-parse-wal')])];
  for (const end of await Promise.allSettled(both)) if (end.status === 'rejected') throw end.reason;
}

/** What is worth a second process, in bytes: files of this size, which come to so much together. */
const worthTwo = { file: 64 * 1024 * 1024, all: 1024 ** 3 };
/** So many paths fit on a command line. */
const mostIgnored = 2000;

/**
 * The large files of a backup as two sets of about the same size; one empty set where they are little beside the others. Pure.
 * pg_verifybackup works on one processor and can only be told what to leave out: so of two, each leaves out one set, and both
 * look at the small files.
 */
export function halves(files: readonly { Path?: string | undefined; Size: number }[], least = worthTwo): string[][] {
  const sum = (of: readonly { Size: number }[]): number => of.reduce((bytes, { Size }) => bytes + Size, 0);
  const large = files.filter(({ Path, Size }) => Path !== undefined && Size >= least.file);
  const small = sum(files) - sum(large);
  if (sum(large) < Math.max(least.all, 2 * small) || large.length > mostIgnored) return [[]];
  const bySize = large.toSorted((a, b) => b.Size - a.Size);
  return [0, 1].map((half) => bySize.filter((_, index) => index % 2 === half).flatMap(({ Path }) => Path ?? []));
}

/** The same without PostgreSQL's program. @throws FILE_DAMAGED naming the first files that are not as they should be */
export async function verifyByOurselves(dataDirectory: string, signal: AbortSignal): Promise<void> {
  const wrong = await findWrong(dataDirectory, signal);
  if (wrong.length > 0) {
    const more = wrong.length > 5 ? `; and ${wrong.length - 5} more` : '';
    throw new AppError('FILE_DAMAGED', `${wrong.slice(0, 5).join('; ')}${more}`);
  }
  const { timeline, startLsn: from, stopLsn: to } = readManifest(`${dataDirectory}/backup_manifest`);
  const reach = { folder: `${dataDirectory}/pg_wal`, timeline, from, to };
  const end = await readWal(reach, () => undefined, signal);
  const why = end.damage ?? (end.missing === undefined ? undefined : `WAL segment ${end.missing} is missing`);
  if (why !== undefined) throw new AppError('FILE_DAMAGED', `the backup's own WAL cannot be read to ${to}: ${why}`);
}

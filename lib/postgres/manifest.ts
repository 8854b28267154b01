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

/** Reads what a backup says of itself (PostgreSQL's documentation, "Backup Manifest Format"). @throws FILE_DAMAGED */
export function readManifest(path: string): Manifest {
  const manifest = readJson(path, manifestSchema);
  const range = manifest?.['WAL-Ranges'].at(-1);
  if (manifest === undefined || range === undefined) throw new AppError('FILE_DAMAGED', `${path} is missing`);
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
export async function verifyUnpacked(installation: Installation, dataDirectory: string, task: Task): Promise<void> {
  if (!has(installation, 'pg_verifybackup')) return await verifyByOurselves(dataDirectory, task.signal);
  // tablespace_map was rewritten when the tablespaces were put elsewhere.
  const args = ['--quiet', '--ignore=tablespace_map', dataDirectory];
  await run(program(installation, 'pg_verifybackup'), args, { signal: task.signal, timeoutMs: limitMs });
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

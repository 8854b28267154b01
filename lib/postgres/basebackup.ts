import * as z from 'zod';
import { AppError } from '../errors.ts';
import { readJson } from '../host/files.ts';
import { run } from '../host/programs.ts';
import type { Task } from '../task.ts';
import { type Installation, program } from './installations.ts';
import { type Lsn, parseLsn } from './lsn.ts';

export interface BaseBackupOptions {
  target: string;
  /** The server's socket folder and port. */
  host: string;
  port: number;
  user: string;
  label: string;
  /** Options about compression, from lib/backups/compression.ts. */
  compression: string[];
  maxRate: string | undefined;
  progress: (detail: string) => void;
}

/** Nobody can say how long a backup may take; a day is a bound all the same. */
const limitMs = 24 * 60 * 60 * 1000;

/**
 * Takes a base backup with the WAL it needs, as tar files, synced to disk (PostgreSQL's documentation, "pg_basebackup").
 * @throws PROGRAM_FAILED, also when a page's checksum is wrong
 */
export async function takeBaseBackup(
  installation: Installation,
  options: BaseBackupOptions,
  task: Task,
): Promise<void> {
  const args = [
    '--pgdata',
    options.target,
    '--format=tar',
    '--wal-method=stream',
    '--checkpoint=fast',
    '--manifest-checksums=CRC32C',
    '--label',
    options.label,
    '--progress',
    '--no-password',
    '--host',
    options.host,
    '--port',
    String(options.port),
    '--username',
    options.user,
    ...options.compression,
    ...(options.maxRate === undefined ? [] : ['--max-rate', options.maxRate]),
  ];
  await run(program(installation, 'pg_basebackup'), args, {
    signal: task.signal,
    timeoutMs: limitMs,
    onErrorLine: (line) => {
      const match = /^(\d+)\/(\d+) kB \((\d+)%\)/.exec(line);
      if (match) options.progress(`${match[3]} % of ${Math.round(Number(match[2]) / 1024)} MB read`);
    },
  });
}

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

/**
 * Compares an unpacked backup with its manifest, every file by checksum, and parses the WAL it needs.
 * @throws PROGRAM_FAILED whose output names the file
 */
export async function verifyUnpacked(installation: Installation, dataDirectory: string, task: Task): Promise<void> {
  // tablespace_map was rewritten when the tablespaces were put elsewhere.
  const args = ['--quiet', '--ignore=tablespace_map', dataDirectory];
  await run(program(installation, 'pg_verifybackup'), args, { signal: task.signal, timeoutMs: limitMs });
}

/**
 * Reads every page of a stopped server's data and compares its checksum.
 * @returns what pg_checksums counted
 * @throws PROGRAM_FAILED whose output names file and block
 */
export async function checkPages(
  installation: Installation,
  dataDirectory: string,
  task: Task,
): Promise<{ files: number; blocks: number }> {
  const args = ['--check', '--pgdata', dataDirectory];
  const { stdout } = await run(program(installation, 'pg_checksums'), args, {
    signal: task.signal,
    timeoutMs: limitMs,
  });
  const count = (what: string): number => Number(new RegExp(`${what} scanned: +(\\d+)`).exec(stdout)?.[1] ?? 0);
  return { files: count('Files'), blocks: count('Blocks') };
}

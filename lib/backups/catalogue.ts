import { join } from 'node:path';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { listFolder, readJson } from '../host/files.ts';
import { writeJson } from '../host/for-good.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { recordSchema } from '../instances/record.ts';
import { type Lsn, parseLsn } from '../postgres/lsn.ts';
import { censusSchema } from './census.ts';
import { levels } from './levels.ts';
import { baseFolderOf } from './repository.ts';

const lsnSchema = z.string().transform((text): Lsn => parseLsn(text));

const checkSchema = z.object({
  name: z.string(),
  ok: z.boolean(),
  /** False for a check that could not be made here; it speaks neither for the backup nor against it. */
  possible: z.literal(false).optional(),
  detail: z.string(),
});

export const verificationSchema = z.object({
  state: z.enum(['verified', 'failed']),
  verifiedAt: z.string(),
  /** How thorough it was; absent for those made before there were levels. */
  level: z.enum(levels).optional(),
  /** How long the whole verification took. */
  seconds: z.number().optional(),
  /** The measured recovery time: from the first byte unpacked to the first query answered. */
  restoreSeconds: z.number().nullable(),
  /** The measured recovery point: how long a row that was read back had been written before its WAL was in the archive. */
  rpoSeconds: z.number().nullable().optional(),
  recoveredToLsn: z.string().nullable(),
  checks: z.array(checkSchema),
});

export const storedFileSchema = z.object({ name: z.string(), sizeBytes: z.number(), sha256: z.string() });

const backupSchema = z.object({
  schema: z.literal(1),
  id: z.string(),
  state: z.enum(['complete', 'verified', 'failed']),
  startedAt: z.string(),
  finishedAt: z.string(),
  label: z.string().optional(),
  /** All stored files together. */
  sizeBytes: z.number(),
  /** What the files come to when unpacked. */
  dataBytes: z.number(),
  startLsn: lsnSchema,
  stopLsn: lsnSchema,
  timeline: z.number(),
  segmentBytes: z.number(),
  /** Every transaction from this id on (64 bits, as text) ended after the backup did. */
  nextXid: z.string().optional(),
  /** Set for a backup that retention never removes. */
  pinned: z.boolean().optional(),
  compression: z.enum(['zstd', 'lz4', 'gzip', 'none']),
  /** The row that was written before it was taken, to be read back, and when its WAL was in the archive. */
  heartbeat: z.object({ writtenAt: z.string(), segment: z.string(), archivedAt: z.string() }).optional(),
  /** What each database's catalogue held, and which extensions. */
  census: z.array(censusSchema).optional(),
  /** What is stored, with the hash of each file as it was when the backup was taken. */
  files: z.array(storedFileSchema),
  /** The instance as it was, so that it can be brought back without its folder. */
  instance: recordSchema,
  verification: verificationSchema.nullable(),
});

export type Check = z.output<typeof checkSchema>;
export type Verification = z.output<typeof verificationSchema>;
/** What the catalogue knows of a finished base backup. */
export type Backup = z.output<typeof backupSchema>;

/** The file that makes a folder a backup; it is the last thing written into it. */
const recordFile = 'backup.json';
/** A backup that is being written, or was when its process died, has a name that no id can have. */
const unfinishedPattern = /^\.(.+)\.writing$/;

export function backupFolder(places: Places, name: InstanceName, id: string): string {
  return join(baseFolderOf(places, name), id);
}

export function stagingFolder(places: Places, name: InstanceName, id: string): string {
  return join(baseFolderOf(places, name), `.${id}.writing`);
}

export function readBackup(places: Places, name: InstanceName, id: string): Backup | undefined {
  const backup = readJson(
    join(backupFolder(places, name, id), recordFile),
    backupSchema as unknown as z.ZodType<Backup>,
  );
  // The instance may have had another name then; its folder follows it.
  return backup && { ...backup, instance: { ...backup.instance, name } };
}

/** @param folder the backup's own folder, or the staging folder it is made in */
export function writeBackup(folder: string, backup: Backup): void {
  writeJson(join(folder, recordFile), backup);
}

/** The finished backups of an instance, oldest first by when they were finished. */
export function listBackups(places: Places, name: InstanceName): Backup[] {
  return inOrder(finishedIds(places, name).flatMap((id) => readBackup(places, name, id) ?? []));
}

const briefSchema = backupSchema.pick({ id: true, state: true, finishedAt: true });

/** The same, no more than how they stand: to check a whole record takes 1 ms, of which `list` has many. */
export function listBriefly(places: Places, name: InstanceName): z.output<typeof briefSchema>[] {
  const read = (id: string) => readJson(join(backupFolder(places, name, id), recordFile), briefSchema) ?? [];
  return inOrder(finishedIds(places, name).flatMap(read));
}

function finishedIds(places: Places, name: InstanceName): string[] {
  return listFolder(baseFolderOf(places, name)).filter((id) => !id.startsWith('.'));
}

function inOrder<B extends { finishedAt: string }>(backups: B[]): B[] {
  return backups.sort((a, b) => (a.finishedAt < b.finishedAt ? -1 : 1));
}

/** The ids of backups that are being written now, or were when their process died. */
export function unfinishedBackups(places: Places, name: InstanceName): string[] {
  return listFolder(baseFolderOf(places, name)).flatMap((entry) => unfinishedPattern.exec(entry)?.[1] ?? []);
}

/** @throws BACKUP_NOT_FOUND, naming what there is */
export function requireBackup(places: Places, name: InstanceName, id: string): Backup {
  const backups = listBackups(places, name);
  const found = id === 'latest' ? backups.at(-1) : backups.find((backup) => backup.id === id);
  if (found !== undefined) return found;
  const known = backups.slice(-5).map((backup) => backup.id);
  throw new AppError('BACKUP_NOT_FOUND', `instance ${name} has no backup${id === 'latest' ? '' : ` "${id}"`}`, {
    hint:
      known.length === 0
        ? `take one with: ./manage.ts --action backup --instance ${name}`
        : `the newest are: ${known.join(', ')}`,
  });
}

/** Backup ids are names of folders. @throws USAGE */
export function parseBackupId(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text) && text !== 'latest') return text;
  throw new AppError('USAGE', `"${text}" cannot be the name of a backup`, {
    hint: 'use letters, digits, dot, - and _; "latest" means the newest one',
  });
}

/** The fields of the contract. */
export function backupFields(backup: Backup) {
  const {
    id,
    state,
    startedAt,
    finishedAt,
    sizeBytes,
    startLsn,
    stopLsn,
    timeline,
    label,
    pinned,
    compression,
    verification,
  } = backup;
  return {
    id,
    type: 'full' as const,
    state,
    startedAt,
    finishedAt,
    sizeBytes,
    startLsn,
    stopLsn,
    timeline,
    compression,
    label: label ?? null,
    pinned: pinned ?? false,
    verification,
  };
}

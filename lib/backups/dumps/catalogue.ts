import { join } from 'node:path';
import * as z from 'zod';
import { listFolder, readJson } from '../../host/files.ts';
import { writeJson } from '../../host/for-good.ts';
import type { InstanceName } from '../../instances/names.ts';
import type { Places } from '../../instances/places.ts';
import { recordSchema } from '../../instances/record.ts';
import { listBackups, storedFileSchema, verificationSchema } from '../catalogue.ts';
import { dumpsFolderOf } from '../repository.ts';
import { dumpCensusSchema } from './census.ts';

/** Everything, the definitions alone, or the rows alone. */
export const dumpTypes = ['schema', 'data', 'dump'] as const;
export type DumpType = (typeof dumpTypes)[number];

const dumpedSchema = z.object({
  name: z.string(),
  /** As pg_dump wrote it. */
  file: z.string(),
  /** Of a dump of rows alone: the definitions of the same moment, which a test restore fills with them. */
  schemaFile: z.string().optional(),
  census: dumpCensusSchema,
});

const dumpSchema = z.object({
  schema: z.literal(1),
  id: z.string(),
  type: z.enum(dumpTypes),
  state: z.enum(['complete', 'verified', 'failed']),
  startedAt: z.string(),
  finishedAt: z.string(),
  label: z.string().optional(),
  pinned: z.boolean().optional(),
  /** All stored files together. */
  sizeBytes: z.number(),
  /** What the databases took when they were dumped. */
  dataBytes: z.number(),
  /** The file with the roles: SQL, as pg_dumpall wrote it. */
  rolesFile: z.string(),
  /** Tablespaces that the dump may name. */
  tablespaces: z.array(z.string()),
  /** Libraries that the server had loaded from its start: extensions may not work without. */
  preloaded: z.string(),
  databases: z.array(dumpedSchema),
  files: z.array(storedFileSchema),
  /** The instance as it was, so that one like it can be made. */
  instance: recordSchema,
  verification: verificationSchema.nullable(),
});

export type DumpedDatabase = z.output<typeof dumpedSchema>;
/** What the catalogue knows of a logical dump. It holds no WAL, and leads to its own moment alone. */
export type Dump = z.output<typeof dumpSchema>;

const recordFile = 'dump.json';
const leftoverPattern = /^\..+\.(writing|removing)$/;

export function dumpFolder(places: Places, name: InstanceName, id: string): string {
  return join(dumpsFolderOf(places, name), id);
}

/** A dump that is being written has a name that no id can have. */
export function dumpStagingFolder(places: Places, name: InstanceName, id: string): string {
  return join(dumpsFolderOf(places, name), `.${id}.writing`);
}

export function writeDump(folder: string, dump: Dump): void {
  writeJson(join(folder, recordFile), dump);
}

export function findDump(places: Places, name: InstanceName, id: string): Dump | undefined {
  return listDumps(places, name).find((dump) => dump.id === id);
}

/** The finished dumps of an instance, oldest first by when they were finished. */
export function listDumps(places: Places, name: InstanceName): Dump[] {
  const folder = dumpsFolderOf(places, name);
  return listFolder(folder)
    .filter((id) => !id.startsWith('.'))
    .flatMap((id) => readJson(join(folder, id, recordFile), dumpSchema as unknown as z.ZodType<Dump>) ?? [])
    .map((dump) => ({ ...dump, instance: { ...dump.instance, name } })) // as in readBackup
    .sort((a, b) => (a.finishedAt < b.finishedAt ? -1 : 1));
}

/** Folders of dumps that nobody writes or removes any more. To be asked with the instance's lock held alone. */
export function leftoverDumps(places: Places, name: InstanceName): string[] {
  const folder = dumpsFolderOf(places, name);
  return listFolder(folder)
    .filter((entry) => leftoverPattern.test(entry))
    .map((entry) => join(folder, entry));
}

/** Base backups and dumps share their names. */
export function isTaken(places: Places, name: InstanceName, id: string): boolean {
  return findDump(places, name, id) !== undefined || listBackups(places, name).some((backup) => backup.id === id);
}

/** The fields of the contract; those of base backups that a dump cannot have are null. */
export function dumpFields({ id, type, state, startedAt, finishedAt, sizeBytes, ...dump }: Dump) {
  return {
    id,
    type,
    state,
    startedAt,
    finishedAt,
    sizeBytes,
    startLsn: null,
    stopLsn: null,
    databases: dump.databases.map(({ name }) => name),
    label: dump.label ?? null,
    pinned: dump.pinned ?? false,
    verification: dump.verification,
  };
}

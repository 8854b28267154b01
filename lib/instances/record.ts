import { join } from 'node:path';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { exists, listFolder, readJson } from '../host/files.ts';
import { writeJson } from '../host/for-good.ts';
import type { Port } from '../host/ports.ts';
import { listJournal } from '../journal.ts';
import { explainingAccess } from './access.ts';
import { type InstanceName, notFound, sameName } from './names.ts';
import { instancePaths, type Places } from './places.ts';

const recordSchema = z.object({
  schema: z.literal(1),
  /** Lasting identity; a new instance under an old name is another one. */
  id: z.string(),
  name: z.string().transform((name) => name as InstanceName),
  createdAt: z.string(),
  port: z.number().transform((port) => port as Port),
  /** The major version of PostgreSQL; the instance is only ever run by programs of this major. */
  version: z.number(),
  bindir: z.string(),
  template: z.string(),
  systemIdentifier: z.string(),
  role: z.string(),
  database: z.string(),
  maxConnections: z.number(),
  committedBytes: z.number(),
  /** What it may take at a busy moment; absent in records of before it was counted. */
  stressBytes: z.number().optional(),
  /** True when it was allowed to pass the host's budget. */
  overcommit: z.boolean().optional(),
  /** The template's file, where it is one of the operator's own. */
  templateFile: z.string().optional(),
  /** What the operator asked for beyond the template, so that it can be planned again. */
  wishes: z.object({
    maxConnections: z.number().optional(),
    memoryBytes: z.number().optional(),
    settings: z.record(z.string(), z.string()).optional(),
  }),
  /** How its WAL gets into the archive: by the server's command alone where absent, and also by a receiver. */
  archive: z.literal('streaming').optional(),
  /** Its pooler, where it has one: the port that is held for it, and what was asked for. */
  pooler: z
    .object({
      port: z.number().transform((port) => port as Port),
      mode: z.enum(['session', 'transaction']).optional(),
      poolSize: z.number().optional(),
    })
    .optional(),
  /** Set by a stop: it stays stopped when the machine comes back. A crash or a power loss is no stop. */
  staysStopped: z.literal(true).optional(),
  /** Where it came from, of one that was made by others. */
  adopted: z
    .object({
      at: z.string(),
      /** The data directory, as its own tools know it. */
      data: z.string(),
      /** Debian's name for it, and the text that its start.conf had. */
      cluster: z.object({ version: z.string(), name: z.string(), startConf: z.string().nullable() }).optional(),
      /** Settings of its own that win over what this tool would have decided. */
      settings: z.record(z.string(), z.string()),
    })
    .optional(),
  /** When data was last replaced by a restore, and from which backup. */
  restored: z.object({ at: z.string(), backupId: z.string() }).optional(),
});

/** What cannot be observed of an instance; the rest is looked at each time. */
export type InstanceRecord = z.output<typeof recordSchema>;

export { recordSchema };

/** The record, or undefined when there is no whole instance of this name. @throws FILE_DAMAGED, DATA_PERMISSIONS */
export function readRecord(places: Places, name: InstanceName): InstanceRecord | undefined {
  const paths = instancePaths(places, name);
  return explainingAccess(name, paths, () =>
    readJson(paths.record, recordSchema as unknown as z.ZodType<InstanceRecord>),
  );
}

export function writeRecord(places: Places, record: InstanceRecord): void {
  writeJson(instancePaths(places, record.name).record, record);
}

/** Writes down whether an instance is to run when the machine comes back, where that has changed. */
export function meanToRun(places: Places, record: InstanceRecord, runs: boolean): InstanceRecord {
  if (runs === (record.staysStopped === undefined)) return record;
  const { staysStopped: _, ...rest } = record;
  const meant: InstanceRecord = runs ? rest : { ...rest, staysStopped: true };
  writeRecord(places, meant);
  return meant;
}

/** @throws INSTANCE_NOT_FOUND; INSTANCE_BROKEN when there is a folder without a record */
export function requireRecord(places: Places, name: InstanceName): InstanceRecord {
  const record = readRecord(places, name);
  if (record !== undefined) return record;
  if (!exists(instancePaths(places, name).folder)) throw notFound(name, instanceNames(places));
  throw new AppError('INSTANCE_BROKEN', `instance ${name} has a folder but no record`, {
    hint: `look at ${join(places.instances, name)}; restore it with --action restore, or move the folder away`,
  });
}

/** The names of all instances, whole or not, in order; also of those that only an operation that has not ended tells of. */
export function instanceNames(places: Places): InstanceName[] {
  const folders = listFolder(places.instances).filter((name) => /^[A-Za-z]/.test(name));
  const begun = listJournal(places.journal).map(({ instance }) => instance);
  return [...new Set([...folders, ...begun.filter((name) => name !== '')])].sort() as InstanceName[];
}

/** The name as the existing instance writes it, whatever the case it was asked for in. */
export function existingName(places: Places, name: InstanceName): InstanceName | undefined {
  return listFolder(places.instances).find((other) => sameName(other, name)) as InstanceName | undefined;
}

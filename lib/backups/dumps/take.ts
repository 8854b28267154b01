import { join } from 'node:path';
import { AppError } from '../../errors.ts';
import { nowIso } from '../../host/clock.ts';
import { fileSize } from '../../host/files.ts';
import { ensureFolder, makeFolder } from '../../host/folders.ts';
import { moveForGood, writeFileForGood } from '../../host/for-good.ts';
import { asSuperuser } from '../../instances/connection.ts';
import { instancePaths } from '../../instances/places.ts';
import type { InstanceRecord } from '../../instances/record.ts';
import type { Operation } from '../../operation.ts';
import { dumpDatabase, type DumpPrograms, dumpPrograms, dumpRoles, type Part } from '../../postgres/dump.ts';
import type { Installation } from '../../postgres/installations.ts';
import { type Client, withClient } from '../../postgres/sql.ts';
import { humanBytes } from '../../tuning/sizes.ts';
import { askingSettings } from '../isolation.ts';
import { assertArchive, assertRoom } from '../preflight.ts';
import { dumpsFolderOf } from '../repository.ts';
import { describeFiles } from '../take.ts';
import {
  type Dump,
  type DumpedDatabase,
  dumpFolder,
  dumpStagingFolder,
  type DumpType,
  isTaken,
  writeDump,
} from './catalogue.ts';
import { countDatabase, describeCensus } from './census.ts';
import { holdsOwn, maintenance, ownSchema } from './maintenance.ts';

export interface TakeDumpOptions {
  id: string;
  type: DumpType;
  /** The one database wanted; undefined for all that are the client's. */
  database: string | undefined;
  label: string | undefined;
  pinned: boolean;
  /** Whether a test restore follows, which needs room too. */
  verify: boolean;
}

/** Definitions, and a new server to try them in, take no more. */
const smallBytes = 64 * 1024 * 1024;
const limitMs = 24 * 60 * 60 * 1000;

interface Present {
  databases: { name: string; bytes: number }[];
  tablespaces: string[];
  preloaded: string;
}

/**
 * Dumps databases and roles beside the base backups: built in a folder whose name no dump can have, published by one rename.
 * It is `complete` then, and not yet proven. Each database is dumped as of one moment, each as of its own.
 * @throws NO_PG_DUMP, BACKUP_FAILED, DISK_SPACE, PROGRAM_FAILED
 */
export async function takeDump(
  operation: Operation,
  installation: Installation,
  record: InstanceRecord,
  options: TakeDumpOptions,
): Promise<Dump> {
  const { places, task, journal } = operation;
  const { id, type } = options;
  const programs = dumpPrograms(installation);
  if (isTaken(places, record.name, id)) {
    throw new AppError('BACKUP_FAILED', `there is a backup "${id}" already`, { hint: 'choose another --backup-name' });
  }
  assertArchive(places, record);
  const server = serverOf(operation, record);
  const present = await withClient(server, async (client) => await lookAround(client, options.database));
  const dataBytes = present.databases.reduce((sum, { bytes }) => sum + bytes, 0);
  assertRoom(places, smallBytes + (type === 'schema' ? 0 : dataBytes), options.verify);

  const staging = dumpStagingFolder(places, record.name, id);
  ensureFolder(dumpsFolderOf(places, record.name));
  journal.intend({ kind: 'folder', path: staging });
  makeFolder(staging);
  const startedAt = nowIso();
  // Roles first: whatever is dumped after that belongs to one that is among them, unless it was made meanwhile.
  writeFileForGood(join(staging, rolesFile), await dumpRoles(programs, server, task.signal));
  const databases: DumpedDatabase[] = [];
  for (const { name } of present.databases) {
    databases.push(await dumpOne(operation, programs, record, { name, type, staging }));
  }
  const files = await describeFiles(staging);
  const dump: Dump = {
    schema: 1,
    id,
    type,
    state: 'complete',
    startedAt,
    finishedAt: nowIso(),
    ...(options.label === undefined ? {} : { label: options.label }),
    ...(options.pinned ? { pinned: true } : {}),
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    dataBytes,
    rolesFile,
    tablespaces: present.tablespaces,
    preloaded: present.preloaded,
    databases,
    files,
    instance: record,
    verification: null,
  };
  writeDump(staging, dump);
  moveForGood(staging, dumpFolder(places, record.name, id));
  journal.settle();
  return dump;
}

const rolesFile = 'roles.sql';

function serverOf({ places, task }: Operation, record: InstanceRecord, database?: string) {
  const address = asSuperuser(instancePaths(places, record.name), record, database);
  return { ...address, signal: task.signal, timeoutMs: limitMs, settings: askingSettings };
}

/** @throws BACKUP_FAILED when there is nothing of the client's to dump */
async function lookAround(client: Client, wanted: string | undefined): Promise<Present> {
  const { rows } = await client.query<{ name: string; bytes: number }>(
    `select datname as name, pg_database_size(oid)::float8 as bytes from pg_database
      where datallowconn and not datistemplate and datconnlimit <> -2 order by 1`,
  );
  const empty = wanted === undefined && !(await holdsOwn(client));
  const databases = rows.filter(({ name }) =>
    wanted === undefined ? !(empty && name === maintenance) : name === wanted,
  );
  if (databases.length === 0) {
    const known = rows.map(({ name }) => name).join(', ');
    throw new AppError('BACKUP_FAILED', wanted === undefined ? 'no database to dump' : `no database "${wanted}"`, {
      hint: known === '' ? 'make one with: ./manage.ts --action create-db' : `there are: ${known}`,
    });
  }
  const more = await client.query<{ tablespaces: string[]; preloaded: string }>(
    `select array(select spcname::text from pg_tablespace where spcname !~ '^pg_' order by 1) as tablespaces,
            current_setting('shared_preload_libraries') as preloaded`,
  );
  return { databases, ...(more.rows[0] ?? { tablespaces: [], preloaded: '' }) };
}

interface Wanted {
  name: string;
  type: DumpType;
  staging: string;
}

/** What is dumped and what is counted are of the same snapshot, so that a test restore can be held to the numbers. */
async function dumpOne(
  operation: Operation,
  programs: DumpPrograms,
  record: InstanceRecord,
  { name, type, staging }: Wanted,
): Promise<DumpedDatabase> {
  const { task } = operation;
  const server = serverOf(operation, record, name);
  return await task.step(`dump ${name}`, async (step) => {
    return await withClient(server, async (client) => {
      await client.query('begin isolation level repeatable read read only');
      const { rows } = await client.query<{ snapshot: string }>('select pg_export_snapshot() as snapshot');
      const snapshot = rows[0]?.snapshot ?? '';
      // No slash is left in a name that is encoded.
      const file = `${encodeURIComponent(name)}.dump`;
      const schemaFile = `${encodeURIComponent(name)}.schema.dump`;
      const dump = async (part: Part, into: string): Promise<void> => {
        // pg_dump would leave it to the umask who may read it.
        writeFileForGood(join(staging, into), '');
        const options = { database: name, part, snapshot, file: join(staging, into) };
        const without = name === maintenance ? ownSchema : undefined;
        await dumpDatabase(programs, server, { ...options, without }, task.signal);
      };
      await dump(type === 'dump' ? 'all' : type, file);
      if (type === 'data') await dump('schema', schemaFile);
      const census = await countDatabase(client, type !== 'schema');
      await client.query('commit');
      step.result(`${humanBytes(fileSize(join(staging, file)) ?? 0)}, ${describeCensus(census)}`);
      return { name, file, ...(type === 'data' ? { schemaFile } : {}), census };
    });
  });
}

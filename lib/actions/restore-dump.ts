import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { type Dump, dumpFolder } from '../backups/dumps/catalogue.ts';
import { makeDatabase, prepareServer } from '../backups/dumps/fill.ts';
import { type RestoredDatabase, restoreDumpInPlace } from '../backups/dumps/in-place.ts';
import { prepareArchive } from '../backups/repository.ts';
import { compareFiles } from '../backups/stored-files.ts';
import { AppError } from '../errors.ts';
import { freeBytes } from '../host/files.ts';
import { asSuperuser } from '../instances/connection.ts';
import { assertNameFree, createInstance } from '../instances/create.ts';
import { homeOf } from '../instances/home.ts';
import type { InstanceName } from '../instances/names.ts';
import { passwordOf } from '../instances/passwords.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { summarize } from '../instances/summary.ts';
import { defaultRange, parsePort, parseRange } from '../ports/leases.ts';
import { dumpPrograms } from '../postgres/dump.ts';
import { superuser } from '../postgres/initdb.ts';
import type { Installation } from '../postgres/installations.ts';
import { scramVerifier } from '../postgres/scram.ts';
import { identifier, literal, withClient } from '../postgres/sql.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { loadTemplate } from '../tuning/templates.ts';
import type { Context, Outcome } from './action.ts';
import { defaultTimeoutMs, hadFinished, installationOf, openRunning, summaryOutcome } from './shared.ts';
import { checkTuning } from './tuning-wishes.ts';

export interface DumpRestoreWish {
  /** The new instance to make of it; undefined for the databases' own one. */
  beside: InstanceName | undefined;
  port: string | undefined;
  'port-range': string | undefined;
}

/** Restores a logical dump: what `restore` does when it is told the name of one. */
export async function restoreDump(
  context: Context,
  name: InstanceName,
  dump: Dump,
  wish: DumpRestoreWish,
): Promise<Outcome> {
  const { beside } = wish;
  if (beside !== undefined && dump.type === 'data') {
    throw new AppError('RESTORE_TARGET', `${dump.id} holds rows alone: a new instance has no tables for them`, {
      hint: 'restore it without --as, into an instance that has its tables empty',
    });
  }
  if (beside === undefined) return await inPlace(context, name, dump);
  if (hadFinished(context, 'restore')) return summaryOutcome(context, beside);
  assertNameFree(context, beside);
  return await intoNew(context, dump, beside, wish);
}

async function inPlace(context: Context, name: InstanceName, dump: Dump): Promise<Outcome> {
  const { record } = openRunning(context, name);
  const installation = await installationOf(context, record);
  dumpPrograms(installation); // missed now, before anything else
  if (context.dryRun) return describe(context, dump, name, dump.type === 'data' ? 'add rows to' : 'replace');
  await assertWhole(context, dump);
  assertRoom(context, dump, name);
  const databases = await restoreDumpInPlace(context, installation, record, dump);
  return outcome(context, record.name, dump, databases);
}

/** @throws BACKUP_NOT_PROVEN naming the file that is not as it was written */
async function assertWhole({ places }: Context, { id, type, files, instance }: Dump): Promise<void> {
  const { ok, name, detail } = await compareFiles(dumpFolder(places, instance.name, id), files);
  if (ok) return;
  throw new AppError('BACKUP_NOT_PROVEN', `${type} ${id} is damaged: ${name}: ${detail}`, {
    hint: `choose another: ./manage.ts --action list-backups --instance ${instance.name}`,
  });
}

/** On the disk of its data, also of an instance that is not there yet. */
function dataFolder(places: Places, name: InstanceName): string {
  return dirname(homeOf(places, instancePaths(places, name)).data);
}

/** @throws DISK_SPACE; what is replaced stays, so all of it is needed once more */
function assertRoom({ places }: Context, { type, dataBytes }: Dump, name: InstanceName): void {
  const free = freeBytes(dataFolder(places, name));
  if (type === 'schema' || free > dataBytes * 1.05) return;
  throw new AppError('DISK_SPACE', `${humanBytes(free)} free, the databases take ${humanBytes(dataBytes)}`, {
    hint: 'free some space (quarantined data is the first place to look), then repeat the command',
  });
}

async function intoNew(context: Context, dump: Dump, name: InstanceName, wish: DumpRestoreWish): Promise<Outcome> {
  const { budgetShare } = context;
  const { instance: kept } = dump;
  const installation = await installationOf(context, kept);
  dumpPrograms(installation);
  if (context.dryRun) return describe(context, dump, name, 'make');
  await assertWhole(context, dump);
  assertRoom(context, dump, name);
  const template = loadTemplate(kept.templateFile ?? kept.template);
  const id = randomUUID();
  await createInstance(context, {
    id,
    name,
    installation,
    template,
    port: wish.port === undefined || wish.port === 'auto' ? undefined : parsePort(wish.port),
    range: wish['port-range'] === undefined ? defaultRange : parseRange(wish['port-range']),
    // An adopted one may have had none of its own.
    role: kept.role === superuser ? undefined : kept.role,
    database: kept.database === 'postgres' ? undefined : kept.database,
    locale: undefined,
    archive: undefined,
    tuning: kept.wishes as Parameters<typeof createInstance>[1]['tuning'],
    budgetShare,
    overcommit: kept.overcommit === true,
    timeoutMs: context.timeoutMs ?? defaultTimeoutMs,
    ...(await checkTuning(context, installation, template, {})),
    prepareArchive: () => prepareArchive(context, name, id),
    fill: async (record) => await fillNew(context, installation, record, dump),
    complete: async (record) => await Promise.resolve(record),
  });
  return outcome(
    context,
    name,
    dump,
    dump.databases.map((database) => ({ name: database.name, aside: null })),
  );
}

/** The instance's own role is there already, and keeps the password that the instance's folder has; other roles have their old ones. */
async function fillNew(
  context: Context,
  installation: Installation,
  record: InstanceRecord,
  dump: Dump,
): Promise<void> {
  const { places, task } = context;
  const paths = instancePaths(places, record.name);
  const server = { ...asSuperuser(paths, record), signal: task.signal, timeoutMs: 24 * 60 * 60 * 1000 };
  const filling = {
    programs: dumpPrograms(installation),
    folder: dumpFolder(places, dump.instance.name, dump.id),
    server,
    tablespaces: join(paths.folder, 'tablespaces'),
  };
  await prepareServer(dump, filling, {
    present: new Set([superuser, record.role]),
    untouched: new Set([superuser]),
  });
  await withClient(server, async (client) => {
    const verifier = scramVerifier(passwordOf(paths, record, record.role));
    await client.query(`alter role ${identifier(record.role)} login password ${literal(verifier)}`);
    // Made a moment ago, with nothing in it.
    const own = dump.databases.some(({ name }) => name === record.database);
    if (own) await client.query(`drop database ${identifier(record.database)}`);
  });
  for (const database of dump.databases) await makeDatabase(task, dump, filling, database);
}

function describe({ places }: Context, dump: Dump, name: InstanceName, what: string): Outcome {
  const databases = dump.databases.map((database) => database.name);
  const data = {
    name,
    backupId: dump.id,
    type: dump.type,
    databases,
    dataBytes: dump.dataBytes,
    freeBytes: freeBytes(dataFolder(places, name)),
    expectedSeconds: dump.verification?.restoreSeconds ?? null,
  };
  const fields: [string, string][] = [
    ['instance', name],
    ['backup', `${dump.id} (${dump.type}, ${dump.state})`],
    [what, databases.join(', ')],
    ['data', humanBytes(dump.dataBytes)],
    ['free', humanBytes(data.freeBytes)],
    ['takes about', data.expectedSeconds === null ? 'not known: it was not restored yet' : `${data.expectedSeconds} s`],
    ['files', dumpFolder(places, dump.instance.name, dump.id)],
  ];
  return { data, text: [{ line: 'would restore:' }, { fields }] };
}

function outcome(context: Context, name: InstanceName, dump: Dump, databases: readonly RestoredDatabase[]): Outcome {
  const { state, port } = summarize(context, name);
  const restored = databases.map((database) => database.name);
  const asides = databases.flatMap((database) => (database.aside === null ? [] : [[database.name, database.aside]]));
  return {
    data: { name, state, port, backupId: dump.id, type: dump.type, databases },
    text: [
      { line: `${name} is ${state} on port ${port}: ${dump.type} ${dump.id} is restored: ${restored.join(', ')}` },
      ...asides.map(([was, aside]) => ({
        line: `${was} as it was is database ${aside} now; when nobody needs it: ./manage.ts drop-db ${name} --database ${aside}`,
      })),
    ],
  };
}

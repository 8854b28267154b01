import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import { ensureFolder, makeFolder } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import type { Port } from '../host/ports.ts';
import type { Operation } from '../operation.ts';
import type { PortRange } from '../ports/leases.ts';
import { makeDataDirectory } from '../postgres/blank.ts';
import { syncDataDirectory } from '../postgres/initdb.ts';
import type { Installation } from '../postgres/installations.ts';
import { systemIdentifierOf } from '../postgres/postmaster.ts';
import { scramVerifier } from '../postgres/scram.ts';
import { identifier, literal, withClient } from '../postgres/sql.ts';
import { readHostFacts } from '../tuning/host.ts';
import { type Plan, planInstance, type PlanInput, type Wishes, withSharedMemory } from '../tuning/plan.ts';
import { planFile, renderMainConfiguration, renderPlan } from '../tuning/render.ts';
import { isShipped, type Template } from '../tuning/templates.ts';
import { writeAccessRules } from './configure.ts';
import { askSharedMemory, asSuperuser } from './connection.ts';
import { launch, startInstance } from './lifecycle.ts';
import type { InstanceName } from './names.ts';
import { defaultDatabase } from './names.ts';
import { generatePassword, keepPassword } from './passwords.ts';
import { type InstancePaths, instancePaths } from './places.ts';
import { claimsOf, leaseHolderOf } from './memory.ts';
import { existingName, type InstanceRecord, writeRecord } from './record.ts';

export interface CreateWishes {
  id: string;
  name: InstanceName;
  /** Makes the archive, and says where it is; called when the port and the memory are granted. */
  prepareArchive: () => string;
  /** Puts into its database what it is to hold from the first moment; when that fails there is no instance. */
  fill: (record: InstanceRecord) => Promise<void>;
  /** Makes what the instance has beside its server, and gives the record that names it. */
  complete: (record: InstanceRecord) => Promise<InstanceRecord>;
  installation: Installation;
  template: Template;
  port: Port | undefined;
  range: PortRange;
  role: string | undefined;
  database: string | undefined;
  locale: string | undefined;
  tuning: Wishes;
  archive: InstanceRecord['archive'];
  /** Of the host's memory, what all instances may commit. */
  budgetShare: number;
  /** Whether this one may pass that. */
  overcommit: boolean;
  /** Names of settings that this server has said it knows. */
  vouched: ReadonlySet<string>;
  /** The server's own look at the settings, where that goes on meanwhile; see lib/tuning/check.ts. */
  checking: Promise<unknown>;
  timeoutMs: number;
}

/** @throws INSTANCE_EXISTS */
export function assertNameFree(operation: Operation, name: InstanceName): void {
  const existing = existingName(operation.places, name);
  if (existing === undefined) return;
  throw new AppError('INSTANCE_EXISTS', `there is an instance "${existing}" already`, {
    hint: `choose another name, or see it with: ./manage.ts --action status --instance ${existing}`,
  });
}

/**
 * Makes a new instance and leaves it running: port, data directory, configuration, role and database. Its record is written
 * last; until then it is `creating`, and whatever ends the work undoes it.
 * @throws INSTANCE_EXISTS, PORT_IN_USE, NO_FREE_PORT, MEMORY_BUDGET, START_FAILED …
 */
export async function createInstance(operation: Operation, wishes: CreateWishes): Promise<InstanceRecord> {
  const { places, task, journal } = operation;
  const { name, installation } = wishes;
  assertNameFree(operation, name);
  const paths = instancePaths(places, name);
  const { plan, port } = await reserve(operation, wishes);
  const archiveFolder = wishes.prepareArchive();

  ensureFolder(places.instances, 0o755);
  journal.intend({ kind: 'folder', path: paths.folder });
  makeFolder(paths.folder);
  await task.step('initdb', async () => {
    await makeDataDirectory(installation, { dataDirectory: paths.data, locale: wishes.locale, signal: task.signal });
  });
  await wishes.checking;
  const template = wishes.template.name;
  writeFileForGood(join(paths.data, planFile), renderPlan(plan, { template, instance: name }));
  writeFileForGood(join(paths.data, 'postgresql.conf'), renderMainConfiguration(name));
  writeAccessRules(paths);

  const planned = describe(wishes, { port, plan, paths });
  const syncing = syncDataDirectory(installation, paths.data, task.signal);
  syncing.catch(() => undefined); // told below; the start must not be left alone meanwhile
  await launch(task, installation, paths, planned, { archiveFolder, timeoutMs: wishes.timeoutMs });
  const sharedMemoryBytes = await makeRoleAndDatabase(operation, paths, planned);
  const { committedBytes, stressBytes } = withSharedMemory(plan, sharedMemoryBytes ?? plan.sharedMemoryBytes);
  const record = { ...planned, committedBytes, stressBytes };
  await syncing;
  await startInstance(task, installation, paths, record, { archiveFolder, timeoutMs: wishes.timeoutMs });
  await wishes.fill(record);
  const whole = await wishes.complete(record);
  operation.leases.revise(port, leaseHolderOf(places, whole));
  writeRecord(places, whole);
  return whole;
}

/** What a plan is made of, beside the host and its other instances. */
export type TuningWishes = Pick<
  CreateWishes,
  'template' | 'installation' | 'tuning' | 'archive' | 'budgetShare' | 'overcommit' | 'vouched'
>;

/**
 * The settings and the memory of an instance beside the others that are there.
 * @param itself its id, where it is one of those that are there already
 * @throws MEMORY_BUDGET, BAD_SETTING
 */
export function planFor(
  { places, leases }: Pick<Operation, 'places' | 'leases'>,
  { template, installation, tuning: wishes, archive, budgetShare, overcommit, vouched }: TuningWishes,
  { id: itself, own }: { id?: string; own?: PlanInput['own'] } = {},
): Plan {
  const others = claimsOf(places, leases).filter(({ id }) => id !== itself);
  const input = {
    host: readHostFacts(),
    template,
    major: installation.major,
    others,
    wishes,
    streaming: archive === 'streaming',
  };
  return planInstance({ ...input, budgetShare, overcommit, vouched, ...(own && { own }) });
}

/** Memory and port are planned with the host's other instances held still. */
async function reserve(operation: Operation, wishes: CreateWishes): Promise<{ plan: Plan; port: Port }> {
  const { leases, places, journal } = operation;
  return await operation.withHostLock(async () => {
    const plan = planFor(operation, wishes);
    for (const warning of plan.warnings) operation.task.warn(warning);
    const holder = {
      purpose: 'postgres' as const,
      instanceId: wishes.id,
      instance: wishes.name,
      root: places.root,
      committedBytes: plan.committedBytes,
      stressBytes: plan.stressBytes,
      overcommit: wishes.overcommit,
    };
    const port = await leases.take(holder, wishes.port ?? wishes.range, (candidate) => {
      journal.intend({ kind: 'lease', port: candidate, instanceId: wishes.id });
    });
    return { plan, port };
  });
}

function describe(
  wishes: CreateWishes,
  { port, plan, paths }: { port: Port; plan: Plan; paths: InstancePaths },
): InstanceRecord {
  const { id, name, installation, template, tuning, archive, overcommit } = wishes;
  return {
    schema: 1,
    id,
    name,
    createdAt: nowIso(),
    port,
    version: installation.major,
    bindir: installation.bindir,
    template: template.name,
    ...(isShipped(template) ? {} : { templateFile: template.path }),
    systemIdentifier: systemIdentifierOf(paths.data) ?? '',
    role: wishes.role ?? defaultDatabase(name),
    database: wishes.database ?? defaultDatabase(name),
    maxConnections: plan.maxConnections,
    committedBytes: plan.committedBytes,
    stressBytes: plan.stressBytes,
    ...(overcommit ? { overcommit } : {}),
    wishes: tuning,
    ...(archive === 'streaming' ? { archive } : {}),
  };
}

/** @returns the shared memory that the server says it takes, in bytes; undefined before PostgreSQL 15 */
async function makeRoleAndDatabase(
  operation: Operation,
  paths: InstancePaths,
  record: InstanceRecord,
): Promise<number | undefined> {
  const { task } = operation;
  const password = generatePassword();
  keepPassword(paths, record, record.role, password);
  return await task.step('role and database', async () => {
    const limits = { signal: task.signal, timeoutMs: 60_000 };
    return await withClient({ ...asSuperuser(paths, record), ...limits }, async (client) => {
      const role = identifier(record.role);
      await client.query(`create role ${role} login password ${literal(scramVerifier(password))}`);
      await client.query(`create database ${identifier(record.database)} owner ${role}`);
      return await askSharedMemory(client);
    });
  });
}

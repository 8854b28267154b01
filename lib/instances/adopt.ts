import { AppError } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import { readText } from '../host/files.ts';
import { ensureFolder, makeFolder } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { pointLink } from '../host/links.ts';
import { run } from '../host/programs.ts';
import type { Operation } from '../operation.ts';
import { disabledText } from '../postgres/debian.ts';
import { superuser } from '../postgres/initdb.ts';
import { type Installation, program } from '../postgres/installations.ts';
import { type Client, sqlState, withClient } from '../postgres/sql.ts';
import { memoryAsConfigured } from '../tuning/as-configured.ts';
import type { Candidate } from './adoptable.ts';
import { bringConfiguration } from './adopted-files.ts';
import { ownSettings } from './configure.ts';
import { asSuperuser } from './connection.ts';
import { launch, startInstance } from './lifecycle.ts';
import { assertMemory, leaseHolderOf } from './memory.ts';
import type { InstanceName } from './names.ts';
import { stopOwnServer } from './own-server.ts';
import { type InstancePaths, instancePaths, type Places } from './places.ts';
import { type InstanceRecord, writeRecord } from './record.ts';

export interface AdoptWishes {
  id: string;
  name: InstanceName;
  template: string;
  templateFile: string | undefined;
  installation: Installation;
  /** Makes the archive, and says where it is. */
  prepareArchive: () => string;
  /** The role and the database that connect names; found out where they are not given. */
  role: string | undefined;
  database: string | undefined;
  /** The role's password, where it is known. */
  password: string | undefined;
  enableChecksums: boolean;
  budgetShare: number;
  overcommit: boolean;
  timeoutMs: number;
}

const dayMs = 24 * 60 * 60 * 1000;

/** Those of our settings that its own are kept in place of, or joined with. Pure. */
export function keptSettings(
  { values, major }: Candidate,
  paths: Pick<InstancePaths, 'socket'>,
): Record<string, string> {
  const own = (name: string): string => values.get(name) ?? '';
  const sockets = own('unix_socket_directories')
    .split(',')
    .map((folder) => folder.trim())
    .filter((folder) => folder !== '' && folder !== paths.socket);
  return {
    listen_addresses: own('listen_addresses'),
    unix_socket_directories: sockets.join(', '), // ours comes in front, wherever it is by then
    // By this its own manager sees that it runs.
    ...(own('external_pid_file') === '' ? {} : { external_pid_file: own('external_pid_file') }),
    ...(own('wal_level') === 'logical' ? { wal_level: 'logical' } : {}),
    ...(Number(own('max_wal_senders')) < 3 ? { max_wal_senders: '10' } : {}),
    ...(major >= 15 && own('archive_library') !== '' ? { archive_library: '' } : {}),
  };
}

/** A setting of its own that is another when this tool runs it. */
export interface Override {
  setting: string;
  was: string;
  becomes: string;
  why: string;
}

const reasons: Readonly<Record<string, string>> = {
  port: 'asked for with --port',
  unix_socket_directories: "this tool's own way in, beside its own sockets",
  cluster_name: 'names its processes',
  wal_level: 'backups need it',
  max_wal_senders: 'backups come through them',
  archive_mode: 'WAL goes to the archive',
  archive_timeout: 'what was committed in a quiet hour is safe within a minute',
  log_line_prefix: 'what diagnose and logs read',
};

/** What changes for its clients and its operator. Pure. */
export function overridesOf(
  candidate: Candidate,
  places: Places,
  name: InstanceName,
  archiveFolder: string,
): Override[] {
  const paths = instancePaths(places, name);
  const { port, systemIdentifier, values } = candidate;
  const adopted = { settings: keptSettings(candidate, paths) };
  const ours = ownSettings(paths, { name, port, archiveFolder, id: '', systemIdentifier, adopted });
  return [...ours].flatMap(([setting, value]) => {
    const was = values.get(setting) ?? '';
    if (setting.endsWith('_file') || setting === 'listen_addresses' || was === String(value)) return [];
    if (setting === 'archive_command' || setting === 'archive_library') return archiving(setting, was, archiveFolder);
    if (setting === 'archive_timeout' && Number(was) === value) return [];
    const why = reasons[setting] ?? 'one log for each weekday, where logs and diagnose look';
    return [{ setting, was, becomes: String(value), why }];
  });
}

function archiving(setting: string, was: string, archiveFolder: string): Override[] {
  const ends = was === '' || was === '(disabled)' ? '' : '; what it archived to until now gets no more';
  return ends === '' && setting === 'archive_library'
    ? []
    : [{ setting, was, becomes: `to ${archiveFolder}`, why: `WAL goes to the archive${ends}` }];
}

/**
 * Makes an instance of a cluster that others have made: its data stays where it is, a link in the instance's folder leads to
 * it. Its record is written last; until then whatever ends the work leaves the cluster as it was found, running if it ran.
 * @throws PORT_IN_USE, MEMORY_BUDGET, NOT_ADOPTABLE, START_FAILED …
 */
export async function adoptCluster(
  operation: Operation,
  candidate: Candidate,
  wishes: AdoptWishes,
): Promise<InstanceRecord> {
  const { places, task, journal, leases } = operation;
  const { name, installation, timeoutMs } = wishes;
  const paths = instancePaths(places, name);
  const planned = describe(candidate, wishes, paths);
  const { running } = candidate;
  if (running !== undefined) {
    journal.intend({ kind: 'own-server', server: running });
    await task.step('stop its own server', async () => await stopOwnServer(running, 120_000, task.signal));
  }
  await operation.withHostLock(async () => {
    assertMemory(operation, planned, wishes.budgetShare, 'the same command with');
    await leases.take(leaseHolderOf(places, planned), planned.port, (port) => {
      journal.intend({ kind: 'lease', port, instanceId: planned.id });
    });
  });
  const archiveFolder = wishes.prepareArchive();
  disableOwnManager(operation, candidate, name);
  if (wishes.enableChecksums && candidate.checksums !== true) await enableChecksums(operation, candidate, wishes);

  ensureFolder(places.instances, 0o755);
  journal.intend({ kind: 'folder', path: paths.folder });
  makeFolder(paths.folder);
  pointLink(paths.data, candidate.data);
  writeFileForGood(paths.password, wishes.password === undefined ? '' : `${wishes.password}\n`);
  bringConfiguration(journal, paths, candidate.configuration);
  journal.intend({ kind: 'server', dataDirectory: paths.data });
  await launch(task, installation, paths, planned, { archiveFolder, timeoutMs });
  const found = await whoIsThere(operation, paths, planned, wishes);
  const record = { ...planned, ...found };
  await startInstance(task, installation, paths, record, { archiveFolder, timeoutMs });
  writeRecord(places, record);
  journal.settle();
  return record;
}

function describe(candidate: Candidate, wishes: AdoptWishes, paths: InstancePaths): InstanceRecord {
  const { data, cluster, major, port, systemIdentifier, values } = candidate;
  const { id, name, installation, template, templateFile, overcommit } = wishes;
  const startConf = cluster === undefined ? null : (readText(cluster.startConf) ?? null);
  return {
    schema: 1,
    id,
    name,
    createdAt: nowIso(),
    port,
    version: major,
    bindir: installation.bindir,
    template,
    ...(templateFile === undefined ? {} : { templateFile }),
    systemIdentifier,
    role: wishes.role ?? superuser,
    database: wishes.database ?? 'postgres',
    ...memoryAsConfigured(major, values),
    ...(overcommit ? { overcommit } : {}),
    wishes: {},
    adopted: {
      at: nowIso(),
      data,
      ...(cluster === undefined ? {} : { cluster: { version: cluster.version, name: cluster.name, startConf } }),
      settings: keptSettings(candidate, paths),
    },
  };
}

/** From here on its own manager starts it neither with the machine nor by hand. */
function disableOwnManager({ journal }: Operation, { cluster }: Candidate, name: InstanceName): void {
  if (cluster === undefined) return;
  const text = readText(cluster.startConf) ?? null;
  journal.intend({ kind: 'files', files: [{ path: cluster.startConf, text, mode: 0o644 }] });
  writeFileForGood(cluster.startConf, disabledText(name), 0o644);
}

/** Interrupted, it has changed nothing that counts: the control file says so last (PostgreSQL's documentation, "pg_checksums"). */
async function enableChecksums(
  { journal, task }: Operation,
  { data }: Candidate,
  { installation }: AdoptWishes,
): Promise<void> {
  journal.intend({ kind: 'program', name: 'pg_checksums', folder: data });
  await task.step('enable data checksums', async () => {
    const args = ['--enable', '--pgdata', data];
    await run(program(installation, 'pg_checksums'), args, { signal: task.signal, timeoutMs: dayMs });
  });
}

/** Which role and database clients mean. @throws NOT_ADOPTABLE where this tool has no way in, or they are not there */
async function whoIsThere(
  { task }: Operation,
  paths: InstancePaths,
  record: InstanceRecord,
  { role, database }: AdoptWishes,
): Promise<Pick<InstanceRecord, 'role' | 'database'>> {
  const server = { ...asSuperuser(paths, record), signal: task.signal, timeoutMs: 30_000 };
  try {
    return await withClient(server, async (client) => await chosen(client, role, database));
  } catch (error) {
    if (sqlState(error) !== '28000') throw error;
    throw new AppError('NOT_ADOPTABLE', `it has no superuser called ${superuser}, which this tool works as`, {
      hint: `make one with its own superuser: CREATE ROLE ${superuser} SUPERUSER LOGIN; everything is as it was`,
      cause: error,
    });
  }
}

async function chosen(client: Client, role: string | undefined, database: string | undefined) {
  const { rows } = await client.query<{ name: string; owner: string; is_super: boolean }>(
    `select datname::text as name, pg_get_userbyid(datdba)::text as owner,
            (select rolsuper from pg_roles where rolname = current_user) as is_super
       from pg_database where datallowconn and not datistemplate order by datname`,
  );
  if (rows[0]?.is_super !== true)
    throw notThere(`its role ${superuser} is no superuser`, `ALTER ROLE ${superuser} SUPERUSER`);
  const others = rows.filter(({ name }) => name !== 'postgres');
  const meant = database ?? (others.length === 1 ? others[0]?.name : 'postgres');
  const found = rows.find(({ name }) => name === meant);
  const known = `there are: ${rows.map(({ name }) => name).join(', ')}`;
  if (found === undefined) throw notThere(`it has no database "${meant}"`, known);
  if (role !== undefined) {
    const roles = await client.query('select from pg_roles where rolname = $1 and rolcanlogin', [role]);
    if (roles.rowCount === 0)
      throw notThere(`it has no role "${role}" that may log in`, 'name another with --username');
  }
  return { database: found.name, role: role ?? found.owner };
}

function notThere(message: string, hint: string): AppError {
  return new AppError('NOT_ADOPTABLE', `${message}; everything is as it was`, { hint });
}

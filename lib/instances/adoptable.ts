import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { exists, readText, realPath } from '../host/files.ts';
import { ownershipOf } from '../host/ownership.ts';
import { isBindable, type Port } from '../host/ports.ts';
import { run, serverMayRead } from '../host/programs.ts';
import { dataOwner } from '../host/users.ts';
import { describeLease, describeListener, type Leases, parsePort, portInUse } from '../ports/leases.ts';
import type { DebianCluster } from '../postgres/debian.ts';
import { has, type Installation, program, supportedMajors } from '../postgres/installations.ts';
import { isInRecovery, livePostmaster, majorOf, systemIdentifierOf, wasShutDown } from '../postgres/postmaster.ts';
import { memorySettings } from '../tuning/as-configured.ts';
import { accessProblem } from './access.ts';
import { type Configuration, filePlaces } from './adopted-files.ts';
import { ownConfiguration, ownSettings } from './configure.ts';
import type { InstanceName } from './names.ts';
import { type OwnServer, ownServerOn } from './own-server.ts';
import { instancePaths, type Places } from './places.ts';
import { instanceNames, readRecord } from './record.ts';

/** A cluster that others have made, as it was found. */
export interface Candidate {
  data: string;
  configuration: Configuration;
  cluster: DebianCluster | undefined;
  major: number;
  systemIdentifier: string;
  port: Port;
  /** Undefined for one that is stopped. */
  running: OwnServer | undefined;
  /** Its settings in force, as its files say. */
  values: ReadonlyMap<string, string>;
  /** Undefined where nobody could tell. */
  checksums: boolean | undefined;
}

function refused(message: string, hint: string): AppError {
  return new AppError('NOT_ADOPTABLE', message, { hint });
}

function noData(path: string): AppError {
  return refused(`${path} is no data directory`, 'name the folder that holds PG_VERSION and global/pg_control');
}

function isReadable(path: string): boolean {
  try {
    readText(join(path, 'PG_VERSION'));
    return true;
  } catch {
    return false;
  }
}

/** What can be seen of a data directory before its programs are known. @throws NOT_ADOPTABLE, DATA_PERMISSIONS, INSTANCE_EXISTS */
export function lookAtData(places: Places, path: string): { data: string; major: number; systemIdentifier: string } {
  const owner = ownershipOf(path);
  if (owner === undefined) throw noData(path);
  if (isReadable(path) && majorOf(path) === undefined) throw noData(path);
  const problem = accessProblem({ folder: path, data: path });
  if (problem !== undefined) {
    throw new AppError('DATA_PERMISSIONS', problem, {
      hint: `adopt it as its owner (--run-as ${owner.owner}, with a --root of that account's), or give it to ${dataOwner().name}: chown -R`,
    });
  }
  const data = realPath(path) ?? path;
  const [major, systemIdentifier] = [majorOf(data), systemIdentifierOf(data)];
  if (major === undefined || systemIdentifier === undefined) throw noData(path);
  if (!(major >= supportedMajors.first && major <= supportedMajors.last)) {
    throw refused(
      `the data was made by PostgreSQL ${major}`,
      `this tool runs ${supportedMajors.first} to ${supportedMajors.last}`,
    );
  }
  if (`${data}/`.startsWith(`${places.root}/`)) {
    throw refused(
      `${data} is in this tool's own root`,
      'what is there is an instance, or was one: see list, and restore',
    );
  }
  const known = instanceNames(places).find((name) => tryIdentifier(places, name) === systemIdentifier);
  if (known !== undefined) {
    throw new AppError('INSTANCE_EXISTS', `this database system (${systemIdentifier}) is instance ${known} already`, {
      hint: 'two of one identity would mix their WAL: a copy is made with ./manage.ts clone',
    });
  }
  if (exists(join(data, ownConfiguration))) {
    throw refused(
      `${data} has a ${ownConfiguration}: an instance of this tool runs it, of another root, or began to`,
      'see ./manage.ts recover, and there: release it; where nobody runs it so any more, take that file away',
    );
  }
  if (isInRecovery(data)) {
    throw refused(`${data} is a standby's, or has not ended a recovery`, 'promote it first: pg_ctl promote');
  }
  return { data, major, systemIdentifier };
}

function tryIdentifier(places: Places, name: InstanceName): string | undefined {
  try {
    return readRecord(places, name)?.systemIdentifier;
  } catch {
    return systemIdentifierOf(instancePaths(places, name).data);
  }
}

export interface AdoptWish {
  name: InstanceName;
  data: string;
  /** Holds postgresql.conf, where that is not in the data. */
  config: string | undefined;
  cluster: DebianCluster | undefined;
  port: string | undefined;
  enableChecksums: boolean;
}

/** Looks at everything, and touches nothing. @throws NOT_ADOPTABLE, PORT_IN_USE, FILE_ACCESS and what `lookAtData` throws */
export async function observeCandidate(
  { places, leases, signal }: { places: Places; leases: Leases | undefined; signal: AbortSignal },
  installation: Installation,
  wish: AdoptWish,
): Promise<Candidate> {
  const { data, major, systemIdentifier } = lookAtData(places, wish.data);
  const folder = wish.config === undefined ? data : (realPath(wish.config) ?? wish.config);
  const main = join(folder, 'postgresql.conf');
  if (!exists(main)) {
    throw refused(`${folder} has no postgresql.conf`, 'name the folder of the configuration with --config-dir');
  }
  const running = ownServerOn(data, wish.cluster?.id ?? null);
  if (running === undefined && !wasShutDown(data)) {
    throw refused(
      `the server of ${data} did not shut down in order`,
      'start it with its own programs, stop it, then adopt',
    );
  }
  const values = await effectiveSettings(installation, data, main, wish.name, places, signal);
  await assertKeyReadable(values, signal);
  const port = parsePort(wish.port ?? String(livePostmaster(data)?.port ?? values.get('port')));
  await assertPort(port, running === undefined ? undefined : livePostmaster(data)?.port, leases);
  const checksums = await hasChecksums(installation, data, running !== undefined, signal);
  if (wish.enableChecksums && checksums !== true && !has(installation, 'pg_checksums')) {
    throw refused(
      `there is no pg_checksums in ${installation.bindir}, which writes data checksums`,
      `install it with: apt-get install postgresql-${major} — or leave out --enable-checksums`,
    );
  }
  return {
    data,
    configuration: filePlaces(data, folder, values.get('hba_file') ?? '', values.get('ident_file') ?? ''),
    cluster: wish.cluster,
    major,
    systemIdentifier,
    port,
    running,
    values,
    checksums,
  };
}

/** The port that its own server listens on is no stranger's. @throws PORT_IN_USE */
async function assertPort(port: Port, own: number | undefined, leases: Leases | undefined): Promise<void> {
  const held = leases?.find(port);
  const hint = 'clients reach it there: free the port, or adopt it on another with --port';
  if (held !== undefined) throw portInUse(port, describeLease(held), hint);
  if (port !== own && !(await isBindable(port))) throw portInUse(port, describeListener(port), hint);
}

/** Asks its own programs, which read all files and know all defaults; no server is started by that. */
async function effectiveSettings(
  installation: Installation,
  data: string,
  main: string,
  name: InstanceName,
  places: Places,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const identity = { name, port: 0, archiveFolder: '', id: '', systemIdentifier: '' };
  const ours = [...ownSettings(instancePaths(places, name), identity).keys()];
  const wanted = new Set([
    ...ours,
    ...memorySettings,
    'ssl',
    'external_pid_file',
    'ssl_key_file',
    ...(installation.major >= 15 ? ['archive_library'] : []),
  ]);
  const ask = async (setting: string): Promise<[string, string]> => {
    const args = ['-D', data, '-c', `config_file=${main}`, '-C', setting];
    const { stdout } = await run(program(installation, 'postgres'), args, { signal, timeoutMs: 10_000 });
    return [setting, stdout.replace(/\n$/, '')];
  };
  try {
    return new Map(await Promise.all([...wanted].map(ask)));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError('NOT_ADOPTABLE', `its own programs do not read its configuration ${main}`, {
      hint: 'mend it first; the server would not start with it either',
      output: error.output,
      cause: error,
    });
  }
}

/** @throws FILE_ACCESS */
async function assertKeyReadable(values: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void> {
  const file = values.get('ssl_key_file') ?? '';
  if (values.get('ssl') !== 'on' || !file.startsWith('/') || (await serverMayRead(file, signal))) return;
  throw new AppError('FILE_ACCESS', `ssl is on, and ${dataOwner().name} cannot read the key ${file}`, {
    hint: `let it: setfacl -m u:${dataOwner().name}:r ${file}, and :x on its folder`,
  });
}

/** By pg_controldata; else the server program tells, of data that no server runs on (PostgreSQL's documentation, "postgres"). */
async function hasChecksums(
  installation: Installation,
  data: string,
  isRunning: boolean,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  if (!has(installation, 'pg_controldata')) {
    if (isRunning || installation.major < 15) return undefined;
    const args = ['-D', data, '-C', 'data_checksums'];
    const { stdout } = await run(program(installation, 'postgres'), args, { signal, timeoutMs: 10_000 });
    return stdout.trim() === 'on';
  }
  const { stdout } = await run(program(installation, 'pg_controldata'), [data], { signal, timeoutMs: 10_000 });
  const version = /^Data page checksum version:\s+(\d+)/m.exec(stdout)?.[1];
  return version === undefined ? undefined : version !== '0';
}

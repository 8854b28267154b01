import { join } from 'node:path';
import { nowMs } from '../host/clock.ts';
import { exists, readText } from '../host/files.ts';
import { type Ownership, ownershipOf } from '../host/inspect.ts';
import { dataOwner } from '../host/users.ts';
import { ownConfiguration } from '../instances/configure.ts';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import { type InstanceRecord, readRecord } from '../instances/record.ts';
import { type Summary, summarize } from '../instances/summary.ts';
import { type Installation, program } from '../postgres/installations.ts';
import { livePostmaster, type PostmasterFile } from '../postgres/postmaster.ts';
import { type Finding, humanAge, manage, minuteMs, quoted } from './finding.ts';
import { psql } from './connections.ts';

/** What the files and the process of an instance say; no server is asked. */
export interface InstanceFacts {
  summary: Summary;
  /** Absent while an instance is being made, and where its record cannot be read. */
  record: InstanceRecord | undefined;
  postmaster: PostmasterFile | undefined;
  /** The port in the file that the server reads. */
  configuredPort: number | undefined;
  data: { path: string; ownership: Ownership | undefined };
  password: { path: string; ownership: Ownership | undefined };
  /** The folder of the server's socket. */
  socket: string;
  owner: { name: string; uid: number };
  /** Whether the programs that the record names are there. */
  programsThere: boolean;
  installations: readonly Installation[];
  nowMs: number;
}

/** @throws where the files may not be read */
export function observeInstance(
  places: Places,
  name: InstanceName,
  installations: readonly Installation[],
): InstanceFacts {
  const paths = instancePaths(places, name);
  const summary = summarize({ places }, name);
  const record = summary.id === null ? undefined : readRecord(places, name);
  const configuration = record && readText(join(paths.data, ownConfiguration));
  const port = /^port\s*=\s*'?(\d+)/m.exec(configuration ?? '')?.[1];
  return {
    summary,
    record,
    postmaster: record && livePostmaster(paths.data),
    configuredPort: port === undefined ? undefined : Number(port),
    data: { path: paths.data, ownership: ownershipOf(paths.data) },
    password: { path: paths.password, ownership: ownershipOf(paths.password) },
    socket: paths.socket,
    owner: dataOwner(),
    programsThere: record !== undefined && exists(program(record, 'postgres')),
    installations,
    nowMs: nowMs(),
  };
}

export function judgeInstance(facts: InstanceFacts): Finding[] {
  const { record, summary } = facts;
  const findings = judgeState(facts);
  if (record === undefined || (summary.state === 'broken' && facts.data.ownership === undefined)) return findings;
  return [...findings, ...judgePort(facts, record), ...judgeFiles(facts, record), ...judgeVersion(facts, record)];
}

const startingTooLongMs = 10 * minuteMs;

function judgeState({ summary, postmaster, nowMs: now }: InstanceFacts): Finding[] {
  const { name, state, message, unfinished } = summary;
  // What an operation does, or has left, is told once: by the lock it holds, or as unfinished.
  if (unfinished !== null) return [];
  if (state === 'crashed') {
    const cause = 'the server ended without a shutdown; its data is whole, and starting it recovers it.';
    return [{ code: 'INSTANCE_CRASHED', severity: 'critical', subject: name, cause, remedy: manage('start', name) }];
  }
  if (state === 'broken') {
    const cause = `record and disk disagree: ${message}.`;
    return [{ code: 'INSTANCE_BROKEN', severity: 'critical', subject: name, cause, remedy: manage('restore', name) }];
  }
  const sinceMs = now - (postmaster?.startedAtSeconds ?? 0) * 1000;
  if (state === 'starting' && postmaster !== undefined && sinceMs > startingTooLongMs) {
    const cause = `the server (process ${postmaster.pid}) has been starting for ${humanAge(sinceMs)} and takes no connections yet.`;
    return [{ code: 'STARTING_LONG', severity: 'warning', subject: name, cause, remedy: manage('logs', name) }];
  }
  return [];
}

function judgePort(
  { postmaster, configuredPort, summary: { name } }: InstanceFacts,
  { port }: InstanceRecord,
): Finding[] {
  const warn = (code: string, cause: string): Finding => {
    const remedy = manage(postmaster === undefined ? 'start' : 'restart', name);
    return { code, severity: 'warning', subject: name, cause, remedy };
  };
  if (postmaster !== undefined && postmaster.port !== port) {
    const cause = `the server listens on port ${postmaster.port}, the record says ${port}: clients that ask us go astray.`;
    return [warn('PORT_DIFFERS', cause)];
  }
  if (configuredPort !== undefined && configuredPort !== port) {
    return [warn('PORT_DIFFERS', `${ownConfiguration} says port ${configuredPort}, the record says ${port}.`)];
  }
  return [];
}

function judgeFiles(facts: InstanceFacts, record: InstanceRecord): Finding[] {
  const { data, password, owner, socket, summary } = facts;
  const { name } = summary;
  const findings: Finding[] = [];
  const add = (finding: Omit<Finding, 'subject'>): void => void findings.push({ ...finding, subject: name });
  const foreign = [data, password].filter(({ ownership }) => ownership !== undefined && ownership.uid !== owner.uid);
  for (const { path, ownership } of foreign) {
    const cause = `${path} belongs to user ${ownership?.uid} and not to ${owner.name} (${owner.uid}).`;
    const remedy = `chown -R ${owner.name}: ${quoted(path)}`;
    add({ code: 'WRONG_OWNER', severity: 'critical', cause, remedy });
  }
  const mode = data.ownership?.mode;
  // The only modes a server starts with (checkDataDir in PostgreSQL's miscinit.c).
  if (mode !== undefined && mode !== 0o700 && mode !== 0o750) {
    const cause = `${data.path} has mode ${octal(mode)}: a server starts with 0700 or 0750 only.`;
    add({ code: 'DATA_MODE', severity: 'critical', cause, ...mending(data.path, 0o700, !foreign.includes(data)) });
  }
  if (password.ownership === undefined) {
    const cause = `the password file ${password.path} is missing: set a new password, and write it into that file.`;
    const remedy = psql({ host: socket, port: record.port }, String.raw`\password ${record.role}`);
    add({ code: 'PASSWORD_MISSING', severity: 'warning', cause, remedy });
  } else if (password.ownership.mode !== 0o600) {
    const cause = `${password.path} has mode ${octal(password.ownership.mode)} and should have 0600: it holds the password.`;
    const mend = mending(password.path, 0o600, !foreign.includes(password));
    add({ code: 'PASSWORD_MODE', severity: 'warning', cause, ...mend });
  }
  return findings;
}

function mending(path: string, mode: number, ours: boolean): Pick<Finding, 'remedy' | 'fix'> {
  const remedy = `chmod ${octal(mode)} ${quoted(path)}`;
  return ours ? { remedy, fix: { kind: 'mode', path, mode } } : { remedy };
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function judgeVersion(
  { programsThere, installations, summary: { name } }: InstanceFacts,
  { version, bindir }: InstanceRecord,
): Finding[] {
  if (programsThere && installations.some(({ major }) => major === version)) return [];
  const other = installations.find(({ major }) => major === version);
  if (other !== undefined) {
    const cause = `the programs in ${bindir} are gone; PostgreSQL ${version} in ${other.bindir} takes their place at the next start.`;
    return [{ code: 'PROGRAMS_MOVED', severity: 'info', subject: name, cause, remedy: manage('restart', name) }];
  }
  if (programsThere) return []; // of a place that only its record knows: --bindir
  const cause = `no PostgreSQL ${version} is on this machine any more (it was in ${bindir}): the instance cannot be started.`;
  const remedy = `apt-get install postgresql-${version}`;
  return [{ code: 'PROGRAMS_GONE', severity: 'critical', subject: name, cause, remedy }];
}

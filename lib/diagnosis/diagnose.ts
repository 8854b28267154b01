import { join } from 'node:path';
import { observeProtection } from '../backups/observe-protection.ts';
import { nowMs } from '../host/clock.ts';
import { listFolder } from '../host/files.ts';
import { isStopped } from '../host/inspect.ts';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import { type InstanceRecord, instanceNames, readRecord } from '../instances/record.ts';
import type { Leases } from '../ports/leases.ts';
import { findInstallations, type Installation } from '../postgres/installations.ts';
import { livePostmaster } from '../postgres/postmaster.ts';
import { observePooler } from '../pooler/observe.ts';
import { sqlState } from '../postgres/sql.ts';
import { judgeArchive } from './archive.ts';
import { observeArchive } from './archive-facts.ts';
import { judgeBackups, measureKept, observeBackups } from './backups.ts';
import { judgeClock, judgeDisks, observeDisks, observeMoments } from './disk.ts';
import { type Finding, host, look, sortFindings } from './finding.ts';
import { judgeGroups, observeGroups } from './groups.ts';
import { type InstanceFacts, judgeInstance, observeInstance } from './instance.ts';
import { inspectLeases } from './leases.ts';
import { inspectJournal, inspectLocks } from './locks.ts';
import { judgeMachine } from './machine.ts';
import { observeMachine } from './machine-facts.ts';
import { judgePooler } from './pooler.ts';
import { observeReceiver } from '../receiver/observe.ts';
import { judgeProtection } from './protection.ts';
import { judgeReceiver } from './receiver.ts';
import { judgeServer, judgeSilence } from './server.ts';
import { askServer } from './server-facts.ts';

export interface Diagnosing {
  places: Places;
  leases: Leases;
  /** What all instances may commit, of the host's memory. */
  budgetShare: number;
  signal: AbortSignal;
}

export interface Diagnosis {
  findings: Finding[];
  installations: readonly Installation[];
}

/** How many instances are looked at side by side: a silent one takes its seconds, and nobody waits for it. */
const atOnce = 8;

/**
 * Looks at everything and changes nothing. Of what belongs to one instance, only the selected ones are told.
 * @throws only when interrupted: what cannot be looked into is a finding itself
 */
export async function diagnose(context: Diagnosing, selected: readonly InstanceName[]): Promise<Diagnosis> {
  const { places, signal } = context;
  const installations = await findInstallations({ folder: places.programs }, signal);
  const looked = await Promise.all([
    lookAtHost(context, installations),
    inTurns(selected, async (name) => await lookAtInstance(context, name, installations)),
  ]);
  const wanted = new Set([host, ...selected.map((name) => name.toLowerCase())]);
  const findings = looked.flat().filter(({ subject }) => wanted.has(subject.toLowerCase()));
  return { findings: sortFindings(findings), installations };
}

async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<Finding[]>): Promise<Finding[]> {
  const queue = [...items];
  const findings: Finding[] = [];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) findings.push(...(await work(item)));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return findings;
}

/** The machine, and what all instances share. */
async function lookAtHost(
  { places, leases, budgetShare, signal }: Diagnosing,
  installations: readonly Installation[],
): Promise<Finding[]> {
  const records = instanceNames(places).flatMap((name) => tryLook(() => readRecord(places, name)) ?? []);
  const check = async (what: string, judge: () => Finding[] | Promise<Finding[]>): Promise<Finding[]> =>
    await look(host, what, signal, judge);
  const machine = { places, installations, records, budgetShare };
  const findings = await Promise.all([
    check('the machine', async () => judgeMachine(await observeMachine({ ...machine, leases: leases.all() }, signal))),
    check('the control groups', () => judgeGroups(observeGroups(runningServers(places, records)))),
    check('the disks', () => judgeDisks(observeDisks(places))),
    check('the clock', () => judgeClock(observeMoments(datedFiles(places, records)), nowMs())),
    check('the leases of ports', async () => await inspectLeases(places, leases)),
    check('the locks', () => inspectLocks(places)),
    check('the journal', () => inspectJournal(places)),
    check('quarantine and scratch', () => measureKept(places)),
  ]);
  return findings.flat();
}

function runningServers(places: Places, records: readonly InstanceRecord[]): { name: string; pid: number }[] {
  return records.flatMap(({ name }) => {
    const pid = tryLook(() => livePostmaster(instancePaths(places, name).data)?.pid);
    return pid === undefined ? [] : [{ name, pid }];
  });
}

/** Files that we or the servers have written, the newest at different moments. */
function datedFiles({ audit, journal, repository }: Places, records: readonly InstanceRecord[]): string[] {
  const ofInstances = records.flatMap(({ name }) => {
    const base = join(repository, name, 'base');
    return [join(repository, name, 'wal'), ...listFolder(base).map((id) => join(base, id, 'backup.json'))];
  });
  return [audit, journal, ...ofInstances];
}

/** What cannot be looked into is told by the look at that instance. */
function tryLook<T>(look: () => T | undefined): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

async function lookAtInstance(
  { places, signal }: Diagnosing,
  name: InstanceName,
  installations: readonly Installation[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  let facts: InstanceFacts | undefined;
  const instance = await look(name, 'its files', signal, () => {
    facts = tryObserve(places, name, installations);
    return facts === undefined ? [] : judgeInstance(facts);
  });
  findings.push(...instance);
  const record = facts?.record;
  if (facts === undefined || record === undefined) return findings;
  const asked = facts.postmaster?.status === 'ready' ? await ask(places, record, facts, signal) : undefined;
  findings.push(...(asked?.findings ?? []));
  findings.push(
    ...(await look(name, 'its pooler', signal, async () => await inspectPooler(places, record, facts, signal))),
  );
  const { unfinished } = facts.summary;
  const receiver = asked?.archiver && observeReceiver(places, record, 'running', asked.archiver.stream);
  if (unfinished === null) findings.push(...judgeReceiver(name, receiver ?? null));
  const archive = async (): Promise<Finding[]> =>
    judgeArchive(await observeArchive(places, record, asked?.archiver, signal));
  findings.push(...(await look(name, 'its archive', signal, archive)));
  findings.push(...(await look(name, 'its backups', signal, () => judgeBackups(observeBackups(places, record)))));
  const protection = (): Finding[] => judgeProtection(name, observeProtection(places, name, record));
  findings.push(...(await look(name, 'its protection', signal, protection)));
  return findings;
}

async function inspectPooler(
  places: Places,
  record: InstanceRecord,
  facts: InstanceFacts | undefined,
  signal: AbortSignal,
): Promise<Finding[]> {
  // What an operation does, or has left, is told once.
  if (facts === undefined || facts.summary.unfinished !== null) return [];
  return judgePooler(record.name, await observePooler(places, record, facts.summary.state, signal));
}

/** One that is destroyed meanwhile, or whose killed create has just been undone, is none. */
function tryObserve(...of: Parameters<typeof observeInstance>): InstanceFacts | undefined {
  try {
    return observeInstance(...of);
  } catch (error) {
    if ((error as { code?: string }).code === 'INSTANCE_NOT_FOUND') return undefined;
    throw error;
  }
}

async function ask(places: Places, record: InstanceRecord, { postmaster }: InstanceFacts, signal: AbortSignal) {
  // It may listen elsewhere than the record says: that is told already, and it can be asked all the same.
  const port = (postmaster?.port ?? record.port) as InstanceRecord['port'];
  try {
    const { server, archiver } = await askServer(places, { ...record, port }, signal);
    return { findings: judgeServer(server), archiver };
  } catch (error) {
    signal.throwIfAborted();
    const pid = postmaster?.pid ?? 0;
    const why = (error as Error).message;
    const silence = { pid, stopped: isStopped(pid), why, sqlState: sqlState(error) };
    return { findings: [judgeSilence(record.name, silence)], archiver: undefined };
  }
}

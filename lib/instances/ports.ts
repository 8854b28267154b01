import { isBindable, listenerOn, type Listener, type Port } from '../host/ports.ts';
import { type JournalEntry, readJournal } from '../journal.ts';
import { type Lease, type Leases } from '../ports/leases.ts';
import { livePostmaster } from '../postgres/postmaster.ts';
import type { InstanceName } from './names.ts';
import { instancePaths, type Places } from './places.ts';
import { type InstanceRecord, instanceNames, readRecord } from './record.ts';

export const portFindings = ['ok', 'stranger', 'orphan', 'unleased'] as const;

/**
 * `ok`; `stranger`: held for an instance, but another program listens there; `orphan`: held for an instance of this root that
 * is not there; `unleased`: an instance of this root is configured for a port that is not held for it.
 */
export type PortFinding = (typeof portFindings)[number];

export interface PortRow {
  port: number;
  purpose: string;
  instance: string;
  root: string;
  user: string;
  /** Whether anything listens there. */
  listening: boolean;
  /** Who, as far as the caller may see it. */
  listener: Listener | null;
  finding: PortFinding;
}

/** Compares what is held on this host with what listens. */
export async function inspectPorts(places: Places, leases: Leases): Promise<PortRow[]> {
  const held = leases.all();
  const rows: PortRow[] = [];
  for (const lease of held) rows.push(await inspectLease(places, lease));
  for (const name of instanceNames(places)) {
    const record = tryRecord(places, name);
    for (const { port, purpose } of record === undefined ? [] : portsOf(record)) {
      if (held.some((lease) => lease.port === port && lease.instanceId === record?.id)) continue;
      const row = await describe({ port, purpose, instance: name, root: places.root, user: '-' });
      rows.push({ ...row, finding: 'unleased' });
    }
  }
  return rows.sort((a, b) => a.port - b.port);
}

/** The ports that an instance is to have, and what for. */
function portsOf({ port, pooler }: InstanceRecord): { port: Port; purpose: Lease['purpose'] }[] {
  return [
    { port, purpose: 'postgres' },
    ...(pooler === undefined ? [] : [{ port: pooler.port, purpose: 'pooler' as const }]),
  ];
}

/** The leases of this root whose instance is neither there nor being made. */
export function orphanLeases(places: Places, leases: Leases): Lease[] {
  return leases.all().filter((lease) => isOrphan(places, lease));
}

async function inspectLease(places: Places, lease: Lease): Promise<PortRow> {
  const row = await describe(lease);
  if (isOrphan(places, lease)) return { ...row, finding: 'orphan' };
  const { data } = instancePaths({ ...places, instances: `${lease.root}/instances` }, lease.instance as InstanceName);
  const postmaster = tryPostmaster(data);
  const ours = postmaster === 'unknown' || (postmaster !== undefined && postmaster.port === lease.port);
  return { ...row, finding: row.listening && !ours && lease.purpose === 'postgres' ? 'stranger' : 'ok' };
}

async function describe({
  port,
  purpose,
  instance,
  root,
  user,
}: Pick<Lease, 'port' | 'purpose' | 'instance' | 'root' | 'user'>) {
  const listening = !(await isBindable(port as Port));
  const listener = listening ? (listenerOn(port) ?? null) : null;
  return { port, purpose, instance, root, user, listening, listener };
}

/** Another user's instance cannot be looked into. */
function tryPostmaster(data: string) {
  try {
    return livePostmaster(data);
  } catch {
    return 'unknown';
  }
}

function tryRecord(places: Places, name: InstanceName) {
  try {
    return readRecord(places, name);
  } catch {
    return undefined;
  }
}

function isOrphan(places: Places, { root, instance, instanceId, port, purpose }: Lease): boolean {
  if (root !== places.root) return false;
  const { running, unfinished } = readJournal(places.journal);
  const named = (entry: JournalEntry): boolean =>
    entry.steps.some((step) => step.kind === 'lease' && step.port === port);
  // A lease follows a rename, which moves the record first.
  const renames = (entry: JournalEntry): boolean =>
    entry.instance === instance && entry.steps.some(({ kind }) => kind === 'claim');
  if ([...running, ...unfinished].some((entry) => named(entry) || renames(entry))) return false;
  const changesPooler = (name: string): boolean =>
    [...running, ...unfinished].some(
      (entry) => entry.instance === name && entry.steps.some(({ kind }) => kind === 'pooler'),
    );
  try {
    const record = readRecord(places, instance as InstanceName);
    if (record?.id !== instanceId) return true;
    return purpose === 'pooler' && record.pooler?.port !== port && !changesPooler(instance);
  } catch {
    return false; // a record that cannot be read is an instance all the same
  }
}

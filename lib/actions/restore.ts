import { randomUUID } from 'node:crypto';
import type { Backup } from '../backups/catalogue.ts';
import { chooseRestore, readPresent } from '../backups/choose-restore.ts';
import { findDump } from '../backups/dumps/catalogue.ts';
import { assertThisMachine, claimName } from '../backups/machine-mark.ts';
import { assertPossible } from '../backups/plan-check.ts';
import { archiveFolderOf, assertNotElsewhere, prepareArchive } from '../backups/repository.ts';
import { type Restored, restoreInstance } from '../backups/restore.ts';
import type { RestorePlan } from '../backups/restore-plan.ts';
import { parseTarget, type RestoreTarget, targetWords } from '../backups/restore-target.ts';
import { startCompanions } from './companions.ts';
import { toAppError } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import type { Port } from '../host/ports.ts';
import { assertNameFree } from '../instances/create.ts';
import { endGhost } from '../instances/ghost.ts';
import { type InstanceName, parseName } from '../instances/names.ts';
import { assertMemory, leaseHolderOf, tuningOf } from '../instances/memory.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { summarize } from '../instances/summary.ts';
import { defaultRange, parsePort, parseRange } from '../ports/leases.ts';
import { type Context, instanceAction, type Outcome, type Values } from './action.ts';
import { refuseOptions } from './backup-dump.ts';
import { restoreDump } from './restore-dump.ts';
import { describePlan } from './restore-text.ts';
import { defaultTimeoutMs, hadFinished, installationOf, summaryOutcome } from './shared.ts';
import { tuningOptions } from './tuning-wishes.ts';

export const restoreOptions = {
  'backup-name': {
    type: 'string',
    alias: 'b',
    describe: 'which backup to begin from: a name, or latest (default: chosen)',
  },
  'to-time': { type: 'string', describe: 'the moment to restore, with its zone: 2026-11-21T10:42:00Z' },
  'to-lsn': { type: 'string', describe: 'a position in the WAL: 16/B374D848' },
  'to-name': { type: 'string', describe: 'a restore point (see restore-point)' },
  'to-xid': { type: 'string', describe: 'the end of a transaction, as pg_current_xact_id() calls it' },
  to: {
    type: 'string',
    choices: targetWords,
    describe: "the newest transaction, the backup's own end, or where WAL is missing",
  },
  as: { type: 'string', describe: 'make a new instance of this name beside the living one' },
  timeline: { type: 'number', describe: 'the timeline to follow (default: the newest)' },
  port: { type: 'string', alias: 'p', describe: 'the port of the restored instance; auto for a free one' },
  'port-range': { type: 'string', describe: 'where to look for a free port (default 5433-5499)' },
  'take-over': { type: 'boolean', describe: 'where the machine that it was on is lost: it belongs here from now on' },
  overcommit: tuningOptions.overcommit,
} as const;

type Given = Values<typeof restoreOptions>;

export const restore = instanceAction({
  name: 'restore',
  summary: 'bring an instance back, in place or beside',
  details:
    "In place, the old data goes to quarantine, and comes back by itself when the restored server does not answer. Without a target it goes to the newest transaction there is; where WAL is known to be missing on the way, it refuses. The repository alone is enough: the instance need not exist any more.\n\nA logical dump is named by --backup-name. In place, the instance goes on running: each database is restored under another name and then takes the old one's place, which is renamed and kept; rows alone (data) go into empty tables. Roles that are there stay as they are. With --as, a new instance is made with its roles and databases.",
  examples: [
    ['./manage.ts restore client-a --to-time 2026-11-20T10:42:00Z', 'back to yesterday, 10:42'],
    ['./manage.ts restore client-a --as client-a-copy', 'a new instance beside it, from the newest backup'],
    ['./manage.ts restore client-a --backup-name 20261121T101500Z --dry-run', 'show the plan'],
  ],
  options: restoreOptions,
  target: 'either',
  lock: 'exclusive',
  changes: true,
  check: checkGiven,
  subject: (name, given) => (given.as === undefined ? name : parseName(given.as)),
  confirm: (name, given) =>
    given.as === undefined
      ? `This replaces the data of ${name}; the present data goes to quarantine, or beside where a dump is restored`
      : undefined,
  run: restoreGiven,
});

export function checkGiven(given: Given): void {
  if (given.as !== undefined) parseName(given.as);
  targetOf(given);
  if (given['port-range'] !== undefined) parseRange(given['port-range']);
  if (given.port !== undefined && given.port !== 'auto') parsePort(given.port);
}

async function restoreGiven(context: Context, name: InstanceName, given: Given): Promise<Outcome> {
  const id = given['backup-name'];
  const dump = id === undefined ? undefined : findDump(context.places, name, id);
  if (dump === undefined) return await restoreSelected(context, name, given);
  refuseOptions(
    given,
    ['to', 'to-time', 'to-lsn', 'to-name', 'to-xid', 'timeline'],
    `is for base backups: ${dump.type} ${dump.id} leads to its own moment alone`,
  );
  const beside = given.as === undefined ? undefined : parseName(given.as);
  return await restoreDump(context, name, dump, { beside, port: given.port, 'port-range': given['port-range'] });
}

/** Also what `clone` does. */
export async function restoreSelected(context: Context, name: InstanceName, given: Given): Promise<Outcome> {
  const { plan, backups } = chooseRestore(context.places, name, {
    backupId: given['backup-name'],
    target: targetOf(given),
    timeline: given.timeline,
    beside: given.as !== undefined,
  });
  for (const warning of plan.warnings) context.task.warn(warning);
  const beside = given.as === undefined ? undefined : parseName(given.as);
  if (beside !== undefined && (hadFinished(context, 'restore') || hadFinished(context, 'clone')))
    return summaryOutcome(context, beside);
  if (beside !== undefined) assertNameFree(context, beside);
  else if (readPresent(context.places, name) === undefined) assertNotElsewhere(context, name, plan.backup.instance.id);
  const takeOver = given['take-over'] === true;
  if (beside === undefined && !takeOver) assertThisMachine(context.places, name);
  const installation = await installationOf(context, plan.backup.instance);
  if (context.dryRun) {
    if (beside !== undefined) assertRoom(context, besideOf(plan.backup, beside, given));
    await assertPossible(context, installation, plan, beside ?? name);
    return describePlan(context.places, plan, beside ?? name, backups);
  }
  const timeoutMs = context.timeoutMs ?? defaultTimeoutMs;
  const streamed = beside === undefined && readPresent(context.places, name)?.archive === 'streaming';
  if (beside === undefined) claimName(context, name, takeOver);
  const { record, archiveFolder } = await prepareTarget(context, name, plan.backup, beside, given);
  const restored = await restoreInstance(context, { plan, record, installation, archiveFolder, timeoutMs });
  await resumeCompanions(context, record, streamed);
  return outcome(context, record, plan, restored);
}

/**
 * What was restored may be from before its pooler and its receiver. They are not what was asked for: they can fail without the
 * restore.
 */
async function resumeCompanions(context: Context, record: InstanceRecord, streamed: boolean): Promise<void> {
  const { name } = record;
  try {
    await startCompanions(context, record);
    if (!streamed || record.archive === 'streaming') return;
    context.task.warn(
      `${name} did not stream its WAL yet when this was backed up; have it do so with: ./manage.ts tune ${name} --archive streaming --apply`,
    );
  } catch (error) {
    context.task.signal.throwIfAborted();
    const { message, hint } = toAppError(error);
    context.task.warn(`${message}${hint ? `; ${hint}` : ''}`);
  }
}

function targetOf(given: Given): RestoreTarget {
  const { to, 'to-time': time, 'to-lsn': lsn, 'to-name': point, 'to-xid': xid } = given;
  return parseTarget({ to, 'to-time': time, 'to-lsn': lsn, 'to-name': point, 'to-xid': xid });
}

async function prepareTarget(
  context: Context,
  name: InstanceName,
  backup: Backup,
  beside: InstanceName | undefined,
  given: Given,
): Promise<{ record: InstanceRecord; archiveFolder: string }> {
  const { places } = context;
  const { instance: kept } = backup;
  if (beside !== undefined) {
    const record = besideOf(backup, beside, given);
    const port = await leasePort(context, record, given.port, given);
    const archiveFolder = prepareArchive(context, beside, record.id);
    return { record: { ...record, port }, archiveFolder };
  }
  const present = readPresent(places, name);
  if (present === undefined) await endGhost(context, name);
  // The configuration comes back with the data: so does what the record says of it.
  const record =
    present === undefined ? allowed({ ...kept, adopted: undefined }, given) : { ...present, ...tuningOf(kept) };
  const port =
    given.port === undefined && present !== undefined
      ? record.port
      : await leasePort(context, record, given.port ?? String(record.port), given);
  return { record: { ...record, port }, archiveFolder: archiveFolderOf(places, name) };
}

/** The record of a new instance; its port is found later. What was allowed to the other is not allowed to this one. */
function besideOf({ instance }: Backup, name: InstanceName, given: Given): InstanceRecord {
  const record = { ...instance, id: randomUUID(), name, pooler: undefined, adopted: undefined, createdAt: nowIso() };
  return allowed({ ...record, overcommit: undefined }, given);
}

function allowed(record: InstanceRecord, { overcommit }: Given): InstanceRecord {
  return overcommit === true ? { ...record, overcommit } : record;
}

/** @throws MEMORY_BUDGET */
function assertRoom(context: Context, record: InstanceRecord): void {
  assertMemory(context, record, context.budgetShare, 'the same command with');
}

/** The port, and the memory with it, of one that has none. @throws PORT_IN_USE, NO_FREE_PORT, MEMORY_BUDGET */
async function leasePort(
  context: Context,
  record: InstanceRecord,
  wanted: string | undefined,
  given: Given,
): Promise<Port> {
  const { leases, places, journal } = context;
  const range = given['port-range'] === undefined ? defaultRange : parseRange(given['port-range']);
  const port = wanted === undefined || wanted === 'auto' ? undefined : parsePort(wanted);
  const { id: instanceId } = record;
  // The lease of an instance whose folder was lost is still its own.
  if (port !== undefined && leases.find(port)?.instanceId === instanceId) return port;
  return await context.withHostLock(async () => {
    if (!leases.all().some((lease) => lease.instanceId === instanceId)) assertRoom(context, record);
    return await leases.take(leaseHolderOf(places, record), port ?? range, (candidate) =>
      journal.intend({ kind: 'lease', port: candidate, instanceId }),
    );
  });
}

function outcome(context: Context, record: InstanceRecord, { backup }: RestorePlan, restored: Restored) {
  const { name, state, port } = summarize(context, record.name);
  const { recoveredToLsn, recoveredToTime, timeline, quarantine } = restored;
  const when = recoveredToTime === null ? 'no transaction after the backup' : `last transaction ${recoveredToTime}`;
  const lines = [
    `${name} is ${state} on port ${port}: backup ${backup.id}, recovered to ${recoveredToLsn} (${when}), timeline ${timeline}`,
    ...(quarantine === null ? [] : [`the data it had is in ${quarantine}`]),
    `take a new backup now: ./manage.ts --action backup --instance ${name}`,
  ];
  return {
    data: { name, state, port, backupId: backup.id, recoveredToLsn, recoveredToTime, timeline, quarantine },
    text: lines.map((line) => ({ line })),
  };
}

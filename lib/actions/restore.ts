import { randomUUID } from 'node:crypto';
import { type Backup, backupFolder, listBackups } from '../backups/catalogue.ts';
import { archiveFolderOf, archiveOfBackup, prepareArchive } from '../backups/repository.ts';
import { type Restored, restoreInstance } from '../backups/restore.ts';
import { parseTime, planRestore, type RestorePlan } from '../backups/restore-plan.ts';
import { readArchive } from '../backups/wal-check.ts';
import { AppError } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import { folderBytes } from '../host/files.ts';
import type { Port } from '../host/ports.ts';
import { assertNameFree } from '../instances/create.ts';
import { endGhost } from '../instances/ghost.ts';
import { type InstanceName, parseName } from '../instances/names.ts';
import { type InstanceRecord, readRecord } from '../instances/record.ts';
import { summarize } from '../instances/summary.ts';
import { defaultRange, parsePort, parseRange } from '../ports/leases.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Context, instanceAction, type Values } from './action.ts';
import { defaultTimeoutMs, hadFinished, installationOf, moment, summaryOutcome } from './shared.ts';

const options = {
  'backup-name': {
    type: 'string',
    alias: 'b',
    describe: 'which backup to begin from: a name, or latest (default: chosen)',
  },
  'to-time': { type: 'string', describe: 'the moment to restore, with its zone: 2026-11-21T10:42:00Z' },
  as: { type: 'string', describe: 'make a new instance of this name beside the living one' },
  timeline: { type: 'number', describe: 'the timeline to follow (default: the newest)' },
  port: { type: 'string', alias: 'p', describe: 'the port of the restored instance; auto for a free one' },
  'port-range': { type: 'string', describe: 'where to look for a free port (default 5433-5499)' },
} as const;

export const restore = instanceAction({
  name: 'restore',
  summary: 'bring an instance back, in place or beside',
  details:
    'In place, the old data goes to quarantine, and comes back by itself when the restored server does not answer. Without --to-time it goes to the newest transaction there is. The repository alone is enough: the instance need not exist any more.',
  examples: [
    ['./manage.ts restore client-a --to-time 2026-11-20T10:42:00Z', 'back to yesterday, 10:42'],
    ['./manage.ts restore client-a --as client-a-copy', 'a new instance beside it, from the newest backup'],
    ['./manage.ts restore client-a --backup-name 20261121T101500Z --dry-run', 'show the plan'],
  ],
  options,
  target: 'either',
  lock: 'exclusive',
  changes: true,
  check(given) {
    if (given.as !== undefined) parseName(given.as);
    if (given['to-time'] !== undefined) parseTime(given['to-time']);
    if (given['port-range'] !== undefined) parseRange(given['port-range']);
    if (given.port !== undefined && given.port !== 'auto') parsePort(given.port);
  },
  subject: (name, given) => (given.as === undefined ? name : parseName(given.as)),
  confirm: (name, given) =>
    given.as === undefined ? `This replaces the data of ${name}; the present data goes to quarantine` : undefined,
  async run(context, name, given) {
    const plan = choosePlan(context, name, given);
    for (const warning of plan.warnings) context.task.warn(warning);
    const beside = given.as === undefined ? undefined : parseName(given.as);
    if (beside !== undefined && hadFinished(context, 'restore')) return summaryOutcome(context, beside);
    if (beside !== undefined) assertNameFree(context, beside);
    if (context.dryRun) return planned(context, plan, beside ?? name);
    const installation = await installationOf(context, plan.backup.instance);
    const timeoutMs = context.timeoutMs ?? defaultTimeoutMs;
    const { record, archiveFolder } = await prepareTarget(context, name, plan.backup, beside, given);
    const restored = await restoreInstance(context, { plan, record, installation, archiveFolder, timeoutMs });
    return outcome(context, record, plan, restored);
  },
});

function choosePlan({ places }: Context, name: InstanceName, given: Values<typeof options>): RestorePlan {
  const all = listBackups(places, name);
  const present = readPresent(places, name);
  const wanted = given['backup-name'];
  // Backups of an earlier instance of the same name are there to be named, not to be chosen.
  const id =
    wanted !== undefined && wanted !== 'latest'
      ? all.find((backup) => backup.id === wanted)?.instance.id
      : (present?.id ?? all.at(-1)?.instance.id);
  const backups = all.filter((backup) => backup.instance.id === id);
  if (present !== undefined && id !== undefined && id !== present.id && given.as === undefined) {
    throw new AppError('RESTORE_TARGET', `backup ${wanted} is of an earlier instance that was called ${name} too`, {
      hint: 'restore it beside with --as NEW',
    });
  }
  const sample = backups[0];
  const archive = sample ? readArchive(archiveOfBackup(places, name, sample.instance.id), sample.segmentBytes) : [];
  return planRestore(name, backups, archive, {
    backupId: wanted,
    time: given['to-time'] === undefined ? undefined : parseTime(given['to-time']),
    timeline: given.timeline,
  });
}

function readPresent(places: Context['places'], name: InstanceName): InstanceRecord | undefined {
  try {
    return readRecord(places, name);
  } catch {
    return undefined; // a damaged record is what restore is there to mend
  }
}

async function prepareTarget(
  context: Context,
  name: InstanceName,
  { instance: kept }: Backup,
  beside: InstanceName | undefined,
  given: Values<typeof options>,
): Promise<{ record: InstanceRecord; archiveFolder: string }> {
  const { places } = context;
  if (beside !== undefined) {
    const id = randomUUID();
    const port = await leasePort(context, { ...kept, id, name: beside }, given.port, given);
    const archiveFolder = prepareArchive(context, beside, id);
    return { record: { ...kept, id, name: beside, port, createdAt: nowIso() }, archiveFolder };
  }
  const present = readPresent(places, name);
  if (present === undefined) await endGhost(context, name);
  const record = present ?? kept;
  const port =
    given.port === undefined && present !== undefined
      ? record.port
      : await leasePort(context, record, given.port ?? String(record.port), given);
  return { record: { ...record, port }, archiveFolder: archiveFolderOf(places, name) };
}

async function leasePort(
  context: Context,
  record: InstanceRecord,
  wanted: string | undefined,
  given: Values<typeof options>,
): Promise<Port> {
  const { leases, places, journal } = context;
  const range = given['port-range'] === undefined ? defaultRange : parseRange(given['port-range']);
  const port = wanted === undefined || wanted === 'auto' ? undefined : parsePort(wanted);
  const { id: instanceId, name: instance, committedBytes } = record;
  // The lease of an instance whose folder was lost is still its own.
  if (port !== undefined && leases.find(port)?.instanceId === instanceId) return port;
  return await context.withHostLock(
    async () =>
      await leases.take(
        { purpose: 'postgres', instanceId, instance, root: places.root, committedBytes },
        port ?? range,
        (candidate) => journal.intend({ kind: 'lease', port: candidate, instanceId }),
      ),
  );
}

function planned({ places }: Context, { backup, timeline, time }: RestorePlan, target: InstanceName) {
  const folder = archiveOfBackup(places, backup.instance.name, backup.instance.id);
  const data = {
    name: target,
    backupId: backup.id,
    timeline,
    toTime: time ?? null,
    dataBytes: backup.dataBytes,
    walBytes: folderBytes(folder),
  };
  const fields: [string, string][] = [
    ['instance', target],
    ['backup', `${backup.id} (${backup.state}), finished ${moment(backup.finishedAt)}`],
    ['to', time ?? 'the newest transaction'],
    ['timeline', String(timeline)],
    ['data', humanBytes(backup.dataBytes)],
    ['archive', `${humanBytes(data.walBytes)} of WAL in ${folder}`],
    [
      'took last time',
      backup.verification?.restoreSeconds
        ? `${backup.verification.restoreSeconds.toFixed(1)} s, without the WAL since`
        : 'not known',
    ],
    ['files', backupFolder(places, backup.instance.name, backup.id)],
  ];
  return { data, text: [{ line: `would restore:` }, { fields }] };
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

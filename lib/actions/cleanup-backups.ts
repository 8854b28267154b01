import { join } from 'node:path';
import { describeAlarm, readAlarm } from '../backups/alarm.ts';
import { listBackups } from '../backups/catalogue.ts';
import { leftoverDumps, listDumps } from '../backups/dumps/catalogue.ts';
import { planDumpRetention } from '../backups/dumps/retention.ts';
import { earlierArchives, earlierBytes, type EarlierVerdict, planEarlier, removeEarlier } from '../backups/earlier.ts';
import { leftoverFolders, removeBackup, removeDump, removeWal } from '../backups/removal.ts';
import { assertThisMachine } from '../backups/machine-mark.ts';
import { recoveringFrom } from '../backups/recovering.ts';
import { archiveFolderOf, archiveOwner, requireRepositoryName } from '../backups/repository.ts';
import { planRetention, type RetentionPlan, type Verdict } from '../backups/retention.ts';
import { tailFiles } from '../backups/tail.ts';
import { noTimelines, observeTimelines } from '../backups/timelines.ts';
import { AppError } from '../errors.ts';
import { nowMs } from '../host/clock.ts';
import { fileSize, listFolder } from '../host/files.ts';
import { removeFolder } from '../host/folders.ts';
import type { InstanceName } from '../instances/names.ts';
import { readRecord } from '../instances/record.ts';
import { defaultSegmentBytes } from '../postgres/wal.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Context, instanceAction, type Outcome } from './action.ts';

/** The old tool's. */
const defaultDays = 7;

export const cleanupBackups = instanceAction({
  name: 'cleanup-backups',
  summary: 'remove backups and WAL that no rule keeps',
  details:
    'Base backups and each type of dump are judged apart. Keeps what either rule keeps, every pinned backup, the newest verified one and all that is newer; of the WAL, everything from the oldest kept backup on. While nothing is verified, or while a damage alarm stands, nothing is removed.\n\nWith --earlier also the archives of instances that had the name before and are gone: a whole one when no backup needs it, else what is older than its backups (delete-backup removes those). One with a pinned backup stays as it is.',
  examples: [
    ['./manage.ts cleanup-backups client-a --retention-days 14 --dry-run', 'what would go, and why'],
    ['./manage.ts cleanup-backups all --keep 7 --yes --quiet', 'for cron'],
    ['./manage.ts cleanup-backups client-a --earlier --dry-run', 'what earlier instances of the name have left'],
  ],
  options: {
    'retention-days': {
      type: 'number',
      describe: `every moment of so many days stays restorable (default ${defaultDays}, without --keep)`,
    },
    keep: { type: 'number', describe: 'so many backups stay, whatever their age' },
    earlier: { type: 'boolean', describe: 'also WAL of earlier instances of the name' },
  },
  target: 'either',
  lock: 'exclusive',
  changes: true,
  confirm: (name) => `This removes backups of ${name} that no rule keeps; see which with --dry-run`,
  async run(context, instance, { 'retention-days': days, keep, earlier: alsoEarlier }) {
    const { places, task } = context;
    const name = requireRepositoryName(places, instance);
    assertThisMachine(places, name);
    const policy = { days: days ?? (keep === undefined ? defaultDays : undefined), keep };
    const folder = archiveFolderOf(places, name);
    const standstill = whyStandstill(context, name, folder);
    if (standstill !== undefined && !context.dryRun) throw standstill;
    const plan = planFor(context, name, policy, standstill?.message);
    const earlier = planEarlier({
      archives: alsoEarlier === true ? earlierArchives(context, name) : [],
      backups: listBackups(places, name),
      frozen: standstill?.message,
    }).map((verdict) => ({ ...verdict, bytes: earlierBytes(places, name, verdict) }));
    const unfinished = [...leftoverFolders(context, name), ...leftoverDumps(places, name)];
    const leftovers = standstill === undefined ? unfinished : [];
    if (!context.dryRun) {
      for (const { id, kept } of plan.verdicts) {
        if (!kept) await task.step(`remove ${id}`, async () => await removeBackup(context, name, id, false));
      }
      for (const { id, kept } of plan.dumps) {
        if (!kept) await task.step(`remove ${id}`, async () => await removeDump(context, name, id, false));
      }
      for (const left of leftovers) await removeFolder(left);
      for (const verdict of earlier) await removeEarlier(context, name, verdict);
    }
    const walBytes = context.dryRun ? sizeOf(folder, plan.wal) : removeWal(folder, plan.wal, task.signal);
    return outcome(name, plan, { earlier, walBytes, leftovers, dryRun: context.dryRun });
  },
});

/** DAMAGE_ALARM or LOCKED where nothing may be removed now, whatever the rules say. */
function whyStandstill({ places }: Context, name: InstanceName, archive: string): AppError | undefined {
  const alarm = readAlarm(places, name);
  if (alarm !== undefined) {
    return new AppError(
      'DAMAGE_ALARM',
      `nothing of ${name} is removed while its alarm stands: ${describeAlarm(alarm)}`,
      { hint: `when a new backup is verified: ./manage.ts --action clear-alarm --instance ${name}` },
    );
  }
  const reader = recoveringFrom(places, archive);
  if (reader === undefined) return undefined;
  return new AppError('LOCKED', `nothing of ${name} is removed while ${reader} still recovers from its archive`, {
    hint: `see how far it is with: ./manage.ts --action status --instance ${reader}`,
  });
}

interface Plan extends RetentionPlan {
  dumps: Verdict[];
}

function planFor(
  { places }: Context,
  name: InstanceName,
  policy: Parameters<typeof planRetention>[1],
  frozen: string | undefined,
): Plan {
  const backups = listBackups(places, name);
  const dumps = listDumps(places, name);
  const folder = archiveFolderOf(places, name);
  // WAL says nothing of whose it is but by the archive it is in; the newest backup may be of an earlier instance.
  const instanceId = archiveOwner(folder) ?? readRecord(places, name)?.id ?? '';
  const newest = backups.findLast(({ instance }) => instance.id === instanceId);
  const facts = {
    backups,
    instanceId,
    archive: [...listFolder(folder), ...tailFiles(folder, newest?.segmentBytes ?? defaultSegmentBytes)],
    timelines: newest ? observeTimelines(places, newest.instance, newest.segmentBytes) : noTimelines,
    nowMs: nowMs(),
    frozen,
  };
  return { ...planRetention(facts, policy), dumps: planDumpRetention({ ...facts, dumps }, policy) };
}

function sizeOf(folder: string, names: readonly string[]): number {
  return names.reduce((sum, file) => sum + (fileSize(join(folder, file)) ?? 0), 0);
}

interface Done {
  earlier: readonly (EarlierVerdict & { bytes: number })[];
  walBytes: number;
  leftovers: string[];
  dryRun: boolean;
}

function outcome(
  name: InstanceName,
  { verdicts: bases, dumps, wal }: Plan,
  { earlier, walBytes, leftovers, dryRun }: Done,
): Outcome {
  const verdicts = [...bases, ...dumps];
  const pick = (wanted: boolean) =>
    verdicts.filter(({ kept }) => kept === wanted).map(({ id, reasons }) => ({ id, reasons }));
  const [kept, removed] = [pick(true), pick(false)];
  const word = dryRun ? 'would remove' : 'removed';
  const rows = verdicts.map((verdict) => [verdict.id, verdict.kept ? 'kept' : word, verdict.reasons.join('; ')]);
  for (const { id, kept: stays, wal: files, reasons, bytes } of earlier) {
    const what = files.length > 0 ? `${word} ${humanBytes(bytes)} of it` : 'kept';
    rows.push([id, stays ? what : `${word} (${humanBytes(bytes)})`, reasons.join('; ')]);
  }
  const line = `${name}: ${word} ${removed.length} of ${verdicts.length} backups and ${wal.length} WAL files (${humanBytes(walBytes)})`;
  return {
    data: {
      name,
      kept,
      removed,
      wal: { files: wal.length, sizeBytes: walBytes },
      leftovers,
      ...(earlier.length > 0 && { earlier: earlier.map(earlierFields) }),
    },
    text: [
      ...(rows.length === 0 ? [] : [{ head: ['backup', '', 'why'], rows }]),
      ...leftovers.map((left) => ({ line: `${word} ${left}, which was never finished` })),
      { line },
    ],
  };
}

function earlierFields({ id, kept, reasons, wal, bytes }: Done['earlier'][number]) {
  return { archive: id, kept, reasons, files: wal.length, sizeBytes: bytes };
}

import { dirname, join } from 'node:path';
import { AppError } from '../errors.ts';
import { nowIso, timestampId } from '../host/clock.ts';
import { exists, readText } from '../host/files.ts';
import { ensureFolder, makeFolder, removeFile, removeFolder } from '../host/folders.ts';
import { moveForGood, writeFileForGood } from '../host/for-good.ts';
import { quoteSetting, Raw, recoveryConfiguration, shellCommand } from '../instances/configure.ts';
import { asSuperuser } from '../instances/connection.ts';
import { launch, startInstance } from '../instances/lifecycle.ts';
import { assertReplaceable, type Home, homeOf, quarantineFor } from '../instances/home.ts';
import { type InstancePaths, instancePaths } from '../instances/places.ts';
import { leaseHolderOf } from '../instances/memory.ts';
import { type InstanceRecord, writeRecord } from '../instances/record.ts';
import type { Operation } from '../operation.ts';
import type { Installation } from '../postgres/installations.ts';
import { type Lsn, parseLsn } from '../postgres/lsn.ts';
import { livePostmaster } from '../postgres/postmaster.ts';
import { stopServer } from '../postgres/server.ts';
import { type Client, withClient } from '../postgres/sql.ts';
import { describeRange } from './archive-spans.ts';
import { backupFolder } from './catalogue.ts';
import type { RestorePlan } from './restore-plan.ts';
import { describeTarget, targetSettings } from './restore-target.ts';
import { archiveOfBackup } from './repository.ts';
import { installRestoreScript } from './restore-script.ts';
import { scratchFolder } from './scratch.ts';
import { collectNewestWal } from './newest-wal.ts';
import { keptFiles } from './take.ts';
import { unpackBackup } from './unpack.ts';
import { assertTablespacesFree } from './tablespaces-replayed.ts';
import type { PackedWal } from './unpacked-wal.ts';

export interface Restored {
  recoveredToLsn: Lsn;
  /** The commit time of the last transaction replayed; null when none was. */
  recoveredToTime: string | null;
  timeline: number;
  /** Where the data that was replaced waits; null when there was none. */
  quarantine: string | null;
}

export interface RestoreOptions {
  plan: RestorePlan;
  /** The instance to leave behind: the old record for a restore in place, one with a new id and port beside it. */
  record: InstanceRecord;
  installation: Installation;
  /** Where the restored instance archives from now on. */
  archiveFolder: string;
  timeoutMs: number;
}

/**
 * Puts an instance where a backup and the archive lead. The backup is unpacked while the old server still serves; the old
 * data goes to quarantine, and comes back by itself when the restored server does not answer.
 * @throws RESTORE_TARGET, START_FAILED, DISK_SPACE …; the instance is then as it was
 */
export async function restoreInstance(operation: Operation, options: RestoreOptions): Promise<Restored> {
  const { places, task, journal } = operation;
  const { plan, record } = options;
  const paths = instancePaths(places, record.name);
  const home = homeOf(places, paths);
  await assertReplaceable(home, task.signal);
  const scratch = scratchFolder(operation, 'restore', home.scratch);
  journal.intend({ kind: 'folder', path: scratch });
  ensureFolder(home.scratch);
  makeFolder(scratch);
  const tablespaces = join(home.tablespaces, timestampId());
  const { backup } = plan;
  const wal: PackedWal = {
    archive: archiveOfBackup(places, backup.instance.name, backup.instance.id),
    segmentBytes: backup.segmentBytes,
    restoreScript: installRestoreScript(join(scratch, 'restore-wal')),
    folder: join(scratch, 'unpacked'),
  };
  const from = await task.step(
    'look for tablespaces',
    async () => await assertTablespacesFree(options.installation, { plan, wal, from: backup.startLsn }, task),
  );
  const folder = backupFolder(places, backup.instance.name, backup.id);
  await prepareFolder(operation, paths, folder);
  journal.intend({ kind: 'folder', path: tablespaces });
  await unpackBackup({ backupFolder: folder, backup, dataDirectory: join(scratch, 'data'), tablespaces }, task);

  const complete = await collectNewestWal(operation, options, join(scratch, 'data'));
  const all = { ...wal, beside: join(scratch, 'data', 'pg_wal') };
  await assertTablespacesFree(options.installation, { plan, wal: all, from }, task);
  const quarantine = await replaceData(operation, options, home, join(scratch, 'data'));
  writeRecoverySettings(operation, paths, options);
  journal.intend({ kind: 'server', dataDirectory: paths.data });
  const { staysStopped: _, ...running } = record;
  const restored = { ...running, restored: { at: nowIso(), backupId: plan.backup.id } };
  const keep = (): void => {
    writeRecord(places, restored);
    journal.settle({ kind: 'folder', path: scratch });
    operation.leases.revise(restored.port, leaseHolderOf(places, restored));
  };
  try {
    await recoverTo(operation, options, paths, complete);
  } catch (error) {
    // It goes on recovering by itself, and what it comes to is what was asked for.
    if (error instanceof AppError && error.code === 'STILL_STARTING') keep();
    throw error;
  }
  const reached = await withClient(superuserOf(operation, paths, record), whereItEnded);
  removeFile(join(paths.data, recoveryConfiguration));
  await startInstance(task, options.installation, paths, record, options);
  keep();
  await removeFolder(scratch);
  return { ...reached, quarantine };
}

function superuserOf({ task }: Operation, paths: InstancePaths, record: InstanceRecord) {
  return { ...asSuperuser(paths, record), signal: task.signal, timeoutMs: 60_000 };
}

/** Makes the instance's folder where it is gone or new, with what the backup kept of the old one. */
async function prepareFolder({ places, journal }: Operation, paths: InstancePaths, backup: string): Promise<void> {
  if (exists(paths.folder)) return;
  ensureFolder(places.instances, 0o755);
  journal.intend({ kind: 'folder', path: paths.folder });
  makeFolder(paths.folder);
  for (const name of keptFiles)
    writeFileForGood(join(paths.folder, name), readText(join(backup, 'instance', name)) ?? '');
}

/** Moves the old data to quarantine and the new into its place. */
async function replaceData(
  operation: Operation,
  { record }: RestoreOptions,
  home: Home,
  restored: string,
): Promise<string | null> {
  const { journal, task } = operation;
  let quarantine: string | null = null;
  if (exists(home.data)) {
    // Damaged data may still have a server, which had nothing to give to the recovery.
    const damaged = livePostmaster(home.data);
    if (damaged !== undefined) await stopServer(damaged.pid, 'fast', 120_000, task.signal);
    quarantine = quarantineFor(home, record.name, journal.id);
    ensureFolder(home.quarantine);
    journal.intend({ kind: 'move', from: home.data, to: quarantine });
    moveForGood(home.data, quarantine);
  }
  moveIn(operation, restored, home.data);
  return quarantine;
}

function moveIn({ journal }: Operation, from: string, to: string): void {
  journal.intend({ kind: 'move', from, to });
  ensureFolder(dirname(to));
  moveForGood(from, to);
}

/** In force until the server has recovered; a server that is started again before that goes on where it was. */
function writeRecoverySettings(
  { places }: Operation,
  paths: InstancePaths,
  { plan, installation, archiveFolder }: RestoreOptions,
): void {
  const { backup, target, timeline } = plan;
  installRestoreScript(paths.restoreScript);
  const archives = [...new Set([archiveOfBackup(places, backup.instance.name, backup.instance.id), archiveFolder])];
  const settings: Record<string, string> = {
    restore_command: shellCommand([paths.restoreScript, Raw.name, Raw.path, ...archives]),
    recovery_target_timeline: String(timeline),
    ...targetSettings(target),
    recovery_target_action: 'promote',
    // Nobody reads before it is done; and the server may then have other limits than the one that wrote the WAL.
    hot_standby: 'off',
    // The server makes all that was unpacked durable before it recovers: at once, and not file by file.
    ...(installation.major >= 14 && process.platform === 'linux' ? { recovery_init_sync_method: 'syncfs' } : {}),
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quoteSetting(value)}`);
  writeFileForGood(join(paths.data, recoveryConfiguration), `${lines.join('\n')}\n`);
  writeFileForGood(join(paths.data, 'recovery.signal'), '');
}

async function recoverTo(
  operation: Operation,
  options: RestoreOptions,
  paths: InstancePaths,
  complete: boolean,
): Promise<void> {
  const { task } = operation;
  const { installation, record, plan } = options;
  try {
    await launch(task, installation, paths, record, options);
  } catch (error) {
    const short =
      error instanceof AppError &&
      /recovery ended before configured recovery target was reached/.test(error.output ?? '');
    if (!short) throw error;
    const { target } = plan;
    if (target.kind !== 'time' || plan.wal.gaps.length > 0) throw targetMissed(plan, error.output);
    // The WAL ends before the moment wanted. Where it is all that the instance ever wrote, its end is that moment's state.
    task.warn(
      complete
        ? `nothing was committed after ${target.time}: restored to the newest transaction`
        : `the archive ends before ${target.time}: restored to its end; what was committed after that is not in the repository`,
    );
    writeRecoverySettings(operation, paths, { ...options, plan: { ...plan, target: { kind: 'latest' } } });
    await launch(task, installation, paths, record, options);
  }
}

function targetMissed({ backup, target, timeline, wal }: RestorePlan, output: string | undefined): AppError {
  const [gap] = wal.gaps;
  const why =
    gap === undefined
      ? `the WAL of timeline ${timeline} has no such place after backup ${backup.id}`
      : `${describeRange(gap, backup.segmentBytes)} is missing from the archive`;
  const hint =
    gap === undefined
      ? 'look at what there is with --dry-run; another timeline is followed with --timeline N'
      : 'go as far as it leads with --to before-gap';
  return new AppError('RESTORE_TARGET', `the recovery ended before ${describeTarget(target)}: ${why}`, {
    hint,
    ...(output === undefined ? {} : { output }),
  });
}

async function whereItEnded(client: Client): Promise<Omit<Restored, 'quarantine'>> {
  const { rows } = await client.query<{ lsn: string; time: string | null; timeline: number }>(
    `select pg_last_wal_replay_lsn()::text as lsn,
            to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as time,
            ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline`,
  );
  const row = rows[0];
  if (row === undefined) throw new AppError('RESTORE_FAILED', 'the restored server does not say where it is');
  return { recoveredToLsn: parseLsn(row.lsn), recoveredToTime: row.time, timeline: row.timeline };
}

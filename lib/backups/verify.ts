import { AppError } from '../errors.ts';
import { monotonicMs, nowIso } from '../host/clock.ts';
import type { Places } from '../instances/places.ts';
import type { Operation } from '../operation.ts';
import type { Installation } from '../postgres/installations.ts';
import { sqlState } from '../postgres/sql.ts';
import { Task } from '../task.ts';
import { raiseAlarm } from './alarm.ts';
import { damageIn, speaksAgainstBackup } from './damage.ts';
import { type Backup, backupFolder, type Check, type Verification, writeBackup } from './catalogue.ts';
import { beatOf, type Beat } from './beat.ts';
import { examineRunning, examineStopped } from './examine.ts';
import type { Level, VerifyOptions } from './levels.ts';
import { archiveOfBackup } from './repository.ts';
import { checkArchivedWal, checkStoredFiles } from './stored-files.ts';
import { isForWantOfRoom, testRestore, type TestRestored } from './test-restore.ts';
import { tailAfter } from './tail.ts';
import { observeTimelines } from './timelines.ts';
import { toStop, toTail, type WalWanted } from './wal-wanted.ts';

/**
 * Tries a backup out, and writes into the catalogue what was found: only here does a backup become `verified`.
 * @throws DISK_SPACE when there is no room to try; that says nothing about the backup, so nothing is written
 */
export async function verifyBackup(
  operation: Operation,
  installation: Installation,
  backup: Backup,
  options: VerifyOptions = { level: 'standard' },
): Promise<Verified> {
  const found = await tryOut(operation, installation, backup, options);
  return { backup: await keepVerdict(operation, installation, { backup, found, level: options.level }), found };
}

/** A backup with what is known of it now, and what was found this time: that may be about the archive behind it alone. */
export interface Verified {
  backup: Backup;
  found: Verification;
}

/**
 * Writes what was found into the catalogue; damage also raises the alarm of the instance. A backup keeps what it has proven
 * where only the archive behind it is wanting; one that has proven nothing yet is then tried again, up to its own end.
 */
export async function keepVerdict(
  operation: Operation,
  installation: Installation,
  { backup, found, level }: Verified & { level: Level },
): Promise<Backup> {
  const { places } = operation;
  const { name } = backup.instance;
  const failed = failedOf(found.checks);
  const ofArchive = failed.length > 0 && !speaksAgainstBackup(failed, level);
  // A server that met the damage says nothing that the archive has not said itself.
  const damage = damageIn(ofArchive ? failed.filter((check) => check.name !== 'test restore') : failed);
  for (const what of damage) raiseAlarm(places, name, ofArchive ? 'the archive' : `backup ${backup.id}`, what);
  // Replayed to its own end, it has proven itself all the same.
  const itself = ofArchive && level !== 'full' && found.restoreSeconds !== null;
  if (ofArchive && !itself) {
    if (level !== 'full' || backup.state !== 'complete') return backup;
    const own = await tryOut(operation, installation, backup, { level: 'standard' });
    return await keepVerdict(operation, installation, { backup, found: own, level: 'standard' });
  }
  const verification: Verification = itself ? { ...found, state: 'verified' } : found;
  const judged: Backup = { ...backup, state: verification.state, verification };
  writeBackup(backupFolder(places, name, backup.id), judged);
  return judged;
}

/**
 * Tries a backup out, from its stored bytes to a server that answers.
 * @throws DISK_SPACE when there is no room to try
 */
export async function tryOut(
  operation: Operation,
  installation: Installation,
  backup: Backup,
  options: VerifyOptions,
): Promise<Verification> {
  const { task } = operation;
  const begunMs = monotonicMs();
  const beat = await beatOf(operation, backup, options.level);
  const stored = checkStoredFiles(operation, backup);
  const [restored, storedCheck, archivedCheck] = await Promise.all([
    tryRestore(operation, installation, { backup, options, beat, stored }),
    stored,
    checkArchivedWal(operation, backup),
  ]);
  const checks = [storedCheck, archivedCheck, ...restored.checks];
  for (const { name, detail, possible } of checks) if (possible === false) task.warn(`not checked: ${name}: ${detail}`);
  return {
    state: restored.restoreSeconds !== undefined && failedOf(checks).length === 0 ? 'verified' : 'failed',
    verifiedAt: nowIso(),
    level: options.level,
    seconds: Math.round(monotonicMs() - begunMs) / 1000,
    restoreSeconds: restored.restoreSeconds ?? null,
    rpoSeconds: beat.rpoSeconds ?? null,
    recoveredToLsn: restored.recoveredToLsn ?? null,
    checks,
  };
}

/** The checks that speak against a backup. */
export function failedOf(checks: readonly Check[]): Check[] {
  return checks.filter(({ ok, possible }) => !ok && possible !== false);
}

/** @throws BACKUP_NOT_PROVEN (7) naming what failed */
export function assertProven({ backup, found }: Verified): void {
  if (found.state === 'verified') return;
  const { id, state, instance } = backup;
  const failed = failedOf(found.checks);
  const [first] = failed;
  const what = first ? `${first.name}: ${first.detail}` : 'not checked';
  const [subject, kept] =
    state === 'failed'
      ? [`backup ${id}`, 'this one is kept for inspection']
      : [`the archive behind backup ${id}`, `this one is ${state}, and leads to its own end`];
  throw new AppError('BACKUP_NOT_PROVEN', `${subject} is not proven: ${what}`, {
    hint: `take a new one: ./manage.ts --action backup --instance ${instance.name}; ${kept}`,
    ...(failed.length > 1 ? { output: failed.map((check) => `${check.name}: ${check.detail}`).join('\n') } : {}),
    data: { id, state, verification: found },
  });
}

interface Trial {
  backup: Backup;
  options: VerifyOptions;
  beat: Beat;
  stored: Promise<Check>;
}

async function tryRestore(
  operation: Operation,
  installation: Installation,
  { backup, options, beat, stored }: Trial,
): Promise<TestRestored> {
  const { places, task } = operation;
  const wal = options.level === 'full' ? toEnd(places, backup) : toStop(backup);
  // Bytes that have changed are not worth unpacking to the end.
  const unsound = new AbortController();
  const sound = stored.then(({ ok }) => {
    if (!ok) unsound.abort();
    return ok;
  });
  const trial = new Task(AbortSignal.any([task.signal, unsound.signal]), task.emit);
  try {
    return await testRestore({ ...operation, task: trial }, installation, backup, {
      wal,
      sound,
      running: async (server) =>
        await examineRunning(server, { installation, backup, options, beat, wal, task: trial }),
      stopped: async (data) => (options.level === 'quick' ? [] : [await examineStopped(installation, data, task)]),
    });
  } catch (error) {
    task.signal.throwIfAborted();
    // What the stored bytes say of themselves tells more than what became of them.
    if (!(await sound)) return { checks: [] };
    const aboutBackup = error instanceof AppError || sqlState(error) !== undefined;
    if (!aboutBackup || isForWantOfRoom(error)) throw error;
    return { checks: [{ name: 'test restore', ok: false, detail: detailOf(error as AppError) }] };
  }
}

/** All that the repository has: the archive, and what a receiver has got behind it. */
function toEnd(places: Places, { instance, segmentBytes, ...span }: Backup): WalWanted {
  const wal = toTail({ ...span, segmentBytes }, observeTimelines(places, instance, segmentBytes));
  const archive = archiveOfBackup(places, instance.name, instance.id);
  return { ...wal, tail: tailAfter(archive, wal, segmentBytes) };
}

/** A server that will not start has said why in the message; a program says it in the last line of its output. */
function detailOf({ code, message, output }: AppError): string {
  const words = code === 'PROGRAM_FAILED' ? lastLine(output) : undefined;
  return words ? `${message}: ${words}` : message;
}

function lastLine(text: string | undefined): string | undefined {
  return text
    ?.split('\n')
    .filter((line) => line !== '')
    .at(-1);
}

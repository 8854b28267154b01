import { join } from 'node:path';
import * as z from 'zod';
import { nowMs } from '../host/clock.ts';
import { listFolder, readJson } from '../host/files.ts';
import { describeHolder, lockModes, type LockHolder } from '../host/locks.ts';
import { isAlive } from '../host/processes.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { existingName } from '../instances/record.ts';
import { type JournalEntry, readJournal } from '../journal.ts';
import { type Finding, host, hourMs, humanAge, manage } from './finding.ts';

export interface HeldLock {
  /** An instance, or `host`. */
  subject: string;
  holder: LockHolder;
}

const holderSchema = z.object({
  mode: z.enum(lockModes),
  action: z.string(),
  since: z.string(),
  process: z.object({ pid: z.number(), started: z.string(), host: z.string() }),
});

/** Unlike `holdersOf`, which clears dead holders away, this only looks. Our own locks are left out. */
export function observeLocks(places: Places): HeldLock[] {
  // The folders are in lower case, as names that differ only in case are one.
  const nameOf = (folder: string): string => existingName(places, folder as InstanceName) ?? folder;
  const folders = [
    { subject: host, folder: join(places.host, 'lock') },
    ...listFolder(places.locks).map((name) => ({ subject: nameOf(name), folder: join(places.locks, name) })),
  ];
  return folders.flatMap(({ subject, folder }) =>
    listFolder(folder)
      .filter((file) => file.endsWith('.json') && !file.startsWith('.'))
      .flatMap((file) => readJson(join(folder, file), holderSchema) ?? [])
      .filter((holder) => holder.process.pid !== process.pid && isAlive(holder.process))
      .map((holder) => ({ subject, holder })),
  );
}

export function judgeLocks(locks: readonly HeldLock[], now: number): Finding[] {
  return locks.map(({ subject, holder }) => {
    const ageMs = now - Date.parse(holder.since);
    const long = ageMs > hourMs;
    return {
      code: long ? 'LOCK_HELD_LONG' : 'LOCK_HELD',
      severity: long ? 'warning' : 'info',
      subject,
      cause: `${describeHolder(holder)} holds the ${holder.mode} lock, for ${humanAge(ageMs)} by now.`,
      remedy: `ps -fp ${holder.process.pid}`,
    };
  });
}

export function inspectLocks(places: Places): Finding[] {
  return judgeLocks(observeLocks(places), nowMs());
}

/** Operations whose process is gone before they ended. */
export function inspectJournal(places: Places): Finding[] {
  return judgeUnfinished(readJournal(places.journal).unfinished, nowMs());
}

export function judgeUnfinished(entries: readonly JournalEntry[], now: number): Finding[] {
  return entries.map(({ action, instance, begunAt, process: { pid }, steps }) => ({
    code: 'UNFINISHED_OPERATION',
    severity: 'warning',
    subject: instance === '' ? host : instance,
    cause: `${action}, begun ${humanAge(now - Date.parse(begunAt))} ago by process ${pid}, was killed; ${steps.length} of its steps are to be looked after.`,
    remedy: manage('recover'),
    fix: { kind: 'recover', instance },
  }));
}

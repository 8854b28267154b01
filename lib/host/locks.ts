import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import lockfile from 'proper-lockfile';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { monotonicMs, nowIso } from './clock.ts';
import { exists, listFolder, readJson } from './files.ts';
import { ensureFolder, removeFile } from './folders.ts';
import { writeJson } from './for-good.ts';
import { isAlive, ourselves } from './processes.ts';
import { pause } from './wait.ts';

export const lockModes = ['shared', 'exclusive'] as const;
export type LockMode = (typeof lockModes)[number];

const holderSchema = z.object({
  mode: z.enum(lockModes),
  action: z.string(),
  since: z.string(),
  process: z.object({ pid: z.number(), started: z.string(), host: z.string() }),
});

export type LockHolder = z.infer<typeof holderSchema>;

export interface LockRequest {
  /** The lock's own folder; made when missing. */
  folder: string;
  mode: LockMode;
  /** What the lock is on and what for, as the holder is shown to others. */
  subject: string;
  action: string;
  timeoutMs: number;
  signal: AbortSignal;
  /** Told once, when the lock is not free at the first try. */
  onWait?: (holders: LockHolder[]) => void;
  /** The mode of a lock folder that several users share. */
  folderMode?: number;
}

export interface Lock {
  /** @throws LOCKED when somebody has taken the lock away: the work must end then */
  assertHeld(): void;
  release(): void;
}

/**
 * Takes a lock that its holder's death releases. Each holder is a file naming a process by number and start time; a file
 * whose process is gone counts for nothing, and a living process keeps its lock however long the machine slept or the clock
 * jumped. The folder is read and written under a guard (proper-lockfile) that is held for about a millisecond.
 * @throws LOCKED, naming the holder, when `timeoutMs` has passed
 */
export async function acquire(request: LockRequest): Promise<Lock> {
  const { folder, timeoutMs, signal, onWait } = request;
  ensureFolder(folder, request.folderMode ?? 0o700);
  const file = join(folder, `${randomUUID()}.json`);
  const deadlineMs = monotonicMs() + timeoutMs;
  let told = false;
  for (;;) {
    signal.throwIfAborted();
    const holders = guarded(folder, () => tryAcquire(folder, file, request));
    if (holders !== undefined && holders.length === 0) return heldAs(file, request.subject);
    if (holders !== undefined && !told) {
      told = true;
      onWait?.(holders);
    }
    if (monotonicMs() >= deadlineMs) throw locked(request, holders ?? []);
    await pause(holders === undefined ? 1 + Math.random() * 8 : 20 + Math.random() * 60, signal);
  }
}

function heldAs(file: string, subject: string): Lock {
  return {
    assertHeld() {
      if (!exists(file)) throw new AppError('LOCKED', `the lock on ${subject} was lost: its file ${file} is gone`);
    },
    release: () => removeFile(file),
  };
}

function tryAcquire(folder: string, file: string, { mode, action }: LockRequest): LockHolder[] {
  const conflicting = (except?: string): LockHolder[] =>
    holdersOf(folder, except).filter((holder) => mode === 'exclusive' || holder.mode === 'exclusive');
  const before = conflicting();
  if (before.length > 0) return before;
  writeJson(file, { mode, action, since: nowIso(), process: ourselves() } satisfies LockHolder, 0o644);
  // Had this process stood still for two seconds (a stalled disk, SIGSTOP), another has taken the guard: who is not alone
  // steps back.
  const meanwhile = conflicting(file);
  if (meanwhile.length > 0) removeFile(file);
  return meanwhile;
}

/** Who holds a lock now, without waiting for it. Files of dead holders are cleared away where that is allowed. */
export function holdersOf(folder: string, except?: string): LockHolder[] {
  const holders: LockHolder[] = [];
  for (const name of listFolder(folder)) {
    if (!name.endsWith('.json')) continue;
    const file = join(folder, name);
    if (file === except) continue;
    const holder = liveHolder(file);
    if (holder !== undefined) holders.push(holder);
  }
  return holders;
}

/** Who has left this file, if that process lives. */
export function liveHolder(file: string): LockHolder | undefined {
  const holder = readJson(file, holderSchema);
  if (holder === undefined || isAlive(holder.process)) return holder;
  tryRemove(file);
  return undefined;
}

function tryRemove(file: string): void {
  try {
    removeFile(file);
  } catch {
    // Another user's file in a shared folder: a dead holder blocks nobody, its owner's next action clears it.
  }
}

/** Runs a synchronous step while no other process reads or writes the folder; undefined when another one is at it. */
export function guarded<T>(folder: string, step: () => T): T | undefined {
  const lockfilePath = join(folder, 'guard');
  let release: () => void;
  try {
    // Its holder dies within the millisecond it is held for or not at all; then the guard is free after two seconds.
    release = lockfile.lockSync(folder, { lockfilePath, realpath: false, stale: 2000 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined;
    throw error;
  }
  try {
    return step();
  } finally {
    release();
  }
}

function locked({ subject, timeoutMs }: LockRequest, holders: LockHolder[]): AppError {
  return new AppError(
    'LOCKED',
    `${subject} is busy: ${holders.map(describeHolder).join('; ') || 'many processes at once'}`,
    {
      hint: `waited ${timeoutMs / 1000} s; wait longer with --lock-timeout SECONDS, or look at the process with: ps -fp ${holders[0]?.process.pid ?? 'PID'}`,
      data: { holders },
    },
  );
}

/** A holder in words: action, process and time. */
export function describeHolder({ action, process: { pid }, since }: LockHolder): string {
  return `${action} (process ${pid}) since ${since}`;
}

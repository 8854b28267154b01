import { join } from 'node:path';
import { ensureFolder } from './host/folders.ts';
import { acquire, describeHolder, type Lock, type LockMode } from './host/locks.ts';
import type { Places } from './instances/places.ts';
import { Leases } from './ports/leases.ts';
import type { Task } from './task.ts';

export interface LockWish {
  /** An instance, in any case. */
  name: string;
  mode: LockMode;
}

/** What the runner lends to every action: the leases of this host, and its locks. */
export class Services {
  readonly leases: Leases;
  private readonly places: Places;
  private readonly action: string;
  private readonly lockTimeoutMs: number;
  private readonly task: Task;

  constructor(places: Places, action: string, lockTimeoutMs: number, task: Task) {
    this.leases = new Leases(places.host);
    this.places = places;
    this.action = action;
    this.lockTimeoutMs = lockTimeoutMs;
    this.task = task;
  }

  /** Runs a short step while no other process on this host plans ports or memory. @throws LOCKED */
  async withHostLock<T>(step: () => Promise<T>): Promise<T> {
    const { host } = this.places;
    ensureFolder(host, 0o1777);
    const lock = await this.take(join(host, 'lock'), 'this host', 'exclusive', 0o777);
    try {
      return await step();
    } finally {
      lock.release();
    }
  }

  /**
   * Runs a step with locks on instances, taken in the order of their names: two operations that need the same two cannot
   * each wait for the other.
   * @throws LOCKED
   */
  async withLocks<T>(wishes: readonly LockWish[], step: (assertHeld: () => void) => Promise<T>): Promise<T> {
    const held: Lock[] = [];
    try {
      for (const { name, mode } of wishes.toSorted((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1))) {
        held.push(await this.take(join(this.places.locks, name.toLowerCase()), `instance ${name}`, mode, 0o700));
      }
      return await step(() => held.forEach((lock) => lock.assertHeld()));
    } finally {
      for (const lock of held.toReversed()) lock.release();
    }
  }

  private async take(folder: string, subject: string, mode: LockMode, folderMode: number): Promise<Lock> {
    const { action, lockTimeoutMs: timeoutMs, task } = this;
    const onWait: Parameters<typeof acquire>[0]['onWait'] = (holders) => {
      task.emit({ type: 'notice', message: `waiting for ${holders.map(describeHolder).join(', ')}` });
    };
    return await acquire({ folder, folderMode, mode, subject, action, timeoutMs, signal: task.signal, onWait });
  }
}

import type { Journal } from './journal.ts';
import type { Places } from './instances/places.ts';
import type { Leases } from './ports/leases.ts';
import type { Task } from './task.ts';

/** What every room's work is done with: where things live, what was begun, when to end early and where to say so. */
export interface Operation {
  places: Places;
  leases: Leases;
  task: Task;
  /** Absent for actions that change nothing. */
  journal: Journal;
  /** Runs a short step while no other process on this host plans ports or memory. */
  withHostLock<T>(step: () => Promise<T>): Promise<T>;
}

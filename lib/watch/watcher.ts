import { nowMs } from '../host/clock.ts';
import { pause } from '../host/wait.ts';
import type { InstanceName } from '../instances/names.ts';
import { type Figures, figuresOf } from './figures.ts';
import { type Looking, observeOne, type Sample } from './observe.ts';

interface Watched {
  latest: Sample | undefined;
  before: Sample | undefined;
  /** A look that has not ended yet. */
  pending: Promise<void> | undefined;
}

/** How long a round waits for its looks, in milliseconds: who is slower is shown as it was, and nobody waits for it. */
const graceMs = 700;

/** Looks at instances again and again. A look that takes long goes on beside the rounds, one at a time for each instance. */
export class Watcher {
  private readonly looking: Looking;
  private readonly watched = new Map<InstanceName, Watched>();

  constructor(looking: Looking) {
    this.looking = looking;
  }

  /**
   * Begins a look at each of these that is not being looked at, and tells what is known when they have ended, or after a
   * moment. Those that no look has come back from yet are left out.
   */
  async round(names: readonly InstanceName[]): Promise<Figures[]> {
    for (const name of this.watched.keys()) if (!names.includes(name)) this.watched.delete(name);
    const looks = names.map(async (name) => await this.look(name));
    const ended = new AbortController();
    const waited = pause(graceMs, AbortSignal.any([this.looking.signal, ended.signal])).catch(() => undefined);
    await Promise.race([Promise.all(looks), waited]);
    ended.abort();
    this.looking.signal.throwIfAborted();
    return names.flatMap((name) => {
      const { latest, before } = this.watched.get(name) ?? {};
      return latest === undefined ? [] : [figuresOf(latest, before, nowMs())];
    });
  }

  private async look(name: InstanceName): Promise<void> {
    const watched = this.watched.get(name) ?? { latest: undefined, before: undefined, pending: undefined };
    this.watched.set(name, watched);
    watched.pending ??= this.sample(name, watched);
    await watched.pending;
  }

  private async sample(name: InstanceName, watched: Watched): Promise<void> {
    try {
      const sample = await observeOne(this.looking, name);
      [watched.before, watched.latest] = [watched.latest, sample];
    } catch {
      // Interrupted: the round says so.
    } finally {
      watched.pending = undefined;
    }
  }
}

import type { FileNote, NotedLock } from './rehearsal-notes.ts';

/** What a session held at one moment. */
export interface LockSample {
  /** By the server's clock, in milliseconds since 1970. */
  atMs: number;
  locks: NotedLock[];
}

/** A lock of a file, and how long others would have met it. */
export interface HeldLock extends NotedLock {
  /** From when it was first seen to the end of the file; of one that was too short to be seen, at most this. */
  heldSeconds: number;
  /** What others could not do meanwhile. */
  blocks: Blocked;
}

export type Blocked = 'reads and writes' | 'writes' | 'schema changes' | 'nothing';

/** PostgreSQL's documentation, "Explicit Locking", table of conflicting lock modes; the strongest last. */
const modes: readonly [mode: string, blocks: Blocked][] = [
  ['AccessShareLock', 'nothing'],
  ['RowShareLock', 'nothing'],
  ['RowExclusiveLock', 'nothing'],
  ['ShareUpdateExclusiveLock', 'schema changes'],
  ['ShareLock', 'writes'],
  ['ShareRowExclusiveLock', 'writes'],
  ['ExclusiveLock', 'writes'],
  ['AccessExclusiveLock', 'reads and writes'],
];

/**
 * The strongest lock of a file on each table, with its time: pure. What was held to the end is known from the note; when it
 * was taken, and what was let go before (files that run without a transaction), from the samples.
 * @param fromMs when the file before it had ended
 */
export function heldLocks(note: FileNote, fromMs: number, samples: readonly LockSample[]): HeldLock[] {
  const during = samples.filter(({ atMs }) => atMs > fromMs && atMs <= note.endedMs);
  const seen = [...note.locks, ...during.flatMap(({ locks }) => locks)];
  const relations = [...new Set(seen.map(({ relation }) => relation))].toSorted();
  return relations.map((relation): HeldLock => {
    const mode = strongest(seen.filter((lock) => lock.relation === relation));
    const has = ({ locks }: LockSample): boolean => locks.some((l) => l.relation === relation && l.mode === mode);
    const toTheEnd = note.locks.some((lock) => lock.relation === relation && lock.mode === mode);
    const first = during.find(has)?.atMs ?? during.at(-1)?.atMs ?? fromMs;
    const last = toTheEnd ? note.endedMs : (during.findLast(has)?.atMs ?? first);
    const blocks = modes.find(([name]) => name === mode)?.[1] ?? 'nothing';
    return { relation, mode, heldSeconds: Math.max(0, last - first) / 1000, blocks };
  });
}

function strongest(locks: NotedLock[]): string {
  const rank = ({ mode }: NotedLock): number => modes.findIndex(([name]) => name === mode);
  return locks.reduce((best, lock) => (rank(lock) > rank(best) ? lock : best)).mode;
}

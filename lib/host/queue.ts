import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { nowIso } from './clock.ts';
import { listFolder } from './files.ts';
import { ensureFolder, removeFile } from './folders.ts';
import { writeJson } from './for-good.ts';
import { guarded, liveHolder, type LockHolder } from './locks.ts';
import { ourselves } from './processes.ts';
import { pause, poll } from './wait.ts';

export interface QueueRequest {
  /** The queue's own folder, which all users of the host share; made when missing. */
  folder: string;
  /** How many may be in at once. */
  places: number;
  action: string;
  timeoutMs: number;
  signal: AbortSignal;
  /** Told once, when there is no free place at the first try. */
  onWait?: () => void;
}

/** A place that was waited for; its holder's death frees it, too. */
export interface Place {
  release(): void;
}

/**
 * Waits for one of a few places: first come, first served, over all processes and users of a host. Everybody draws a numbered
 * ticket, a file naming a process; who has fewer living tickets before their own than there are places is in.
 * @returns undefined when `timeoutMs` has passed
 */
export async function enter(request: QueueRequest): Promise<Place | undefined> {
  const { folder, places, signal, timeoutMs, onWait } = request;
  ensureFolder(folder, 0o777);
  const ticket = await draw(request);
  const release = (): void => removeFile(join(folder, ticket));
  const isIn = (): true | undefined => (livingBefore(folder, ticket, places) < places ? true : undefined);
  try {
    if (isIn()) return { release };
    onWait?.();
    if (await poll(isIn, { signal, timeoutMs, maxMs: 250 })) return { release };
  } catch (error) {
    release();
    throw error;
  }
  release();
  return undefined;
}

/** Numbers are given under the folder's guard, so that each is higher than all before it. */
async function draw({ folder, action, signal }: QueueRequest): Promise<string> {
  const holder: LockHolder = { mode: 'shared', action, since: nowIso(), process: ourselves() };
  for (;;) {
    signal.throwIfAborted();
    const ticket = guarded(folder, () => {
      const number = Number.parseInt(tickets(folder).at(-1) ?? '0', 10) + 1;
      const name = `${String(number).padStart(12, '0')}-${randomUUID()}.json`;
      writeJson(join(folder, name), holder, 0o644);
      return name;
    });
    if (ticket !== undefined) return ticket;
    await pause(1 + Math.random() * 8, signal);
  }
}

function tickets(folder: string): string[] {
  return listFolder(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted();
}

/** How many of those before are alive; not counted beyond what is asked for. */
function livingBefore(folder: string, ticket: string, most: number): number {
  let living = 0;
  for (const name of tickets(folder)) {
    if (name >= ticket || living === most) break;
    if (liveHolder(join(folder, name)) !== undefined) living++;
  }
  return living;
}

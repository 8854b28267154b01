import { join } from 'node:path';
import { archiveFolderOf } from '../backups/repository.ts';
import type { Stream } from '../backups/stream.ts';
import { tailFiles } from '../backups/tail.ts';
import { ownershipOf } from '../host/inspect.ts';
import type { Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import type { InstanceState } from '../instances/state.ts';
import { defaultSegmentBytes } from '../postgres/wal.ts';
import { receiverPaths } from './places.ts';
import { liveReceiver } from './process.ts';

/** How a receiver is. */
export interface ObservedReceiver {
  /** `waiting`: it lives, and does not receive. `crashed`: its instance runs, and it does not. */
  state: 'streaming' | 'waiting' | 'stopped' | 'crashed';
  /** Of what starts pg_receivewal again when it ends; null where that is gone. */
  pid: number | null;
  /** What is written and not yet synced by it; null where it does not receive. */
  lagBytes: number | null;
  /** What the server keeps for it, and may keep at the most (null: without a limit). */
  keptBytes: number | null;
  capBytes: number | null;
  /** Whether the server has dropped WAL that it had not received; the archive has that. */
  slotLost: boolean;
  /** When WAL was last received, where none is now: what is newer is safe as whole segments alone. Null where nobody knows. */
  lastReceivedAt: string | null;
}

/** @param stream what the server says; undefined for one that does not run or does not answer, or has no slot */
export function observeReceiver(
  places: Places,
  { name, archive }: Pick<InstanceRecord, 'name' | 'archive'>,
  instance: InstanceState,
  stream: Stream | undefined,
): ObservedReceiver | null {
  if (archive !== 'streaming') return null;
  const { script, programs } = liveReceiver(receiverPaths(places, name));
  const lives = script !== undefined || programs.length > 0;
  const running = stream?.streaming === true ? 'streaming' : 'waiting';
  const state = lives ? running : instance === 'running' ? 'crashed' : 'stopped';
  return {
    state,
    pid: script?.pid ?? null,
    // The session of one that has just died is there for a moment.
    lagBytes: (state === 'streaming' ? stream?.lagBytes : null) ?? null,
    keptBytes: stream?.keptBytes ?? null,
    capBytes: stream?.capBytes ?? null,
    slotLost: stream?.lost ?? false,
    lastReceivedAt: state === 'streaming' ? null : lastReceivedAt(archiveFolderOf(places, name)),
  };
}

function lastReceivedAt(archive: string): string | null {
  const times = tailFiles(archive, defaultSegmentBytes).map(
    (file) => ownershipOf(join(archive, file))?.modifiedMs ?? 0,
  );
  return times.length === 0 ? null : new Date(Math.max(...times)).toISOString();
}

import type { Operation } from '../operation.ts';
import { type JournalEntry, readJournal } from '../journal.ts';
import { exists } from '../host/files.ts';
import type { InstanceName } from './names.ts';
import { instancePaths } from './places.ts';
import { type InstanceRecord, instanceNames, readRecord, requireRecord } from './record.ts';
import { type InstanceState, observe } from './state.ts';

/** The fields of the contract that every answer about an instance holds. */
export interface Summary {
  name: string;
  id: string | null;
  state: InstanceState;
  port: number | null;
  /** Where its pooler is, if it has one. */
  poolerPort: number | null;
  version: number | null;
  template: string | null;
  dataDirectory: string;
  /** Why the state is what it is; null where that is plain. */
  message: string | null;
  /** An operation that has begun and not ended: it runs still, or was killed. */
  unfinished: { action: string; begunAt: string; pid: number; running: boolean } | null;
}

/** Looks at an instance, whole or not. @throws INSTANCE_NOT_FOUND when there is nothing of that name */
export function summarize({ places }: Pick<Operation, 'places'>, name: InstanceName): Summary {
  const paths = instancePaths(places, name);
  const { running, unfinished } = readJournal(places.journal);
  // The operation that asks is at its own end.
  const mine = (entry: JournalEntry): boolean => entry.instance === name && entry.process.pid !== process.pid;
  const entry = running.find(mine) ?? unfinished.find(mine);
  const work = entry && {
    action: entry.action,
    begunAt: entry.begunAt,
    pid: entry.process.pid,
    running: running.includes(entry),
  };
  const base = { name, dataDirectory: paths.data, poolerPort: null, unfinished: work ?? null };
  if (work !== undefined && (work.action === 'create' || !exists(paths.record))) {
    const message = work.running ? `${work.action} is running (process ${work.pid})` : unfinishedMessage(work.action);
    const state = work.action === 'create' || work.action === 'restore' ? 'creating' : 'broken';
    return { ...base, id: null, state, port: null, version: null, template: null, message };
  }
  const read = tryRecord(() => readRecord(places, name) ?? requireRecord(places, name));
  if (!('record' in read)) {
    return { ...base, id: null, state: 'broken', port: null, version: null, template: null, message: read.message };
  }
  const { id, port, version, template, pooler } = read.record;
  const { state, message } = observe(paths, read.record);
  const said = message ?? (work && !work.running ? unfinishedMessage(work.action) : null);
  return { ...base, id, state, port, poolerPort: pooler?.port ?? null, version, template, message: said };
}

/** All instances of the root; one that is destroyed meanwhile is none. */
export function summarizeAll(operation: Pick<Operation, 'places'>): Summary[] {
  return instanceNames(operation.places).flatMap((name) => {
    try {
      return [summarize(operation, name)];
    } catch (error) {
      if ((error as { code?: string }).code === 'INSTANCE_NOT_FOUND') return [];
      throw error;
    }
  });
}

function unfinishedMessage(action: string): string {
  return `${action} did not end; the next action on it, or --action recover, finishes or undoes that`;
}

function tryRecord(read: () => InstanceRecord): { record: InstanceRecord } | { message: string } {
  try {
    return { record: read() };
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (code === 'INSTANCE_NOT_FOUND') throw error;
    return { message };
  }
}

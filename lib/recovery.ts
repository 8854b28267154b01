import { dirname, join } from 'node:path';
import { writeAudit } from './audit.ts';
import { exists } from './host/files.ts';
import { removeFile, removeFolder } from './host/folders.ts';
import { moveForGood, writeFileForGood } from './host/for-good.ts';
import { pointLink, removeLink } from './host/links.ts';
import type { Port } from './host/ports.ts';
import { endProcessesOn, endProgramOn } from './host/processes.ts';
import { parseName, sameName } from './instances/names.ts';
import { instancePaths } from './instances/places.ts';
import { leaseHolderOf } from './instances/memory.ts';
import { readRecord } from './instances/record.ts';
import { startInstance } from './instances/lifecycle.ts';
import { type OwnServer, startOwnServer } from './instances/own-server.ts';
import { toAppError } from './errors.ts';
import { type JournalEntry, readJournal, type UndoStep, unwind } from './journal.ts';
import type { Operation } from './operation.ts';
import { livePostmaster } from './postgres/postmaster.ts';
import { matchRecord, poolerHolderOf } from './pooler/change.ts';
import { matchReceiver } from './receiver/receiver.ts';
import { stopServer } from './postgres/server.ts';
import { undoSwap } from './backups/dumps/swap.ts';
import { archiveFolderOf } from './backups/repository.ts';

type Recovering = Pick<Operation, 'places' | 'leases' | 'task'>;

/** What became of an operation that had not ended. */
export interface Recovered {
  action: string;
  instance: string;
  begunAt: string;
  /** `finished`: it had reached its end but could not say so. `undone`: its traces are gone. */
  outcome: 'finished' | 'undone';
  /** The folders that were removed, or never made. */
  folders: string[];
}

/** What killed operations left of an instance, or of all. A rename is left of both names. */
export function unfinishedOf(places: Operation['places'], instance?: string): JournalEntry[] {
  const { unfinished } = readJournal(places.journal);
  if (instance === undefined) return unfinished;
  const folder = join(places.instances, instance);
  return unfinished.filter(
    (entry) =>
      sameName(entry.instance, instance) || entry.steps.some((step) => step.kind === 'move' && step.to === folder),
  );
}

/**
 * Finishes or undoes what killed operations left behind, for one instance or all. To be called with the instance's lock
 * held, so that no living operation is among them.
 */
export async function recover(operation: Recovering, instance?: string): Promise<Recovered[]> {
  const { places, task } = operation;
  const mine = unfinishedOf(places, instance);
  const recovered: Recovered[] = [];
  for (const entry of mine) {
    const outcome = await recoverEntry(operation, entry);
    const { action, instance: name, begunAt } = entry;
    const folders = entry.steps.flatMap((step) => (step.kind === 'folder' ? step.path : []));
    recovered.push({ action, instance: name, begunAt, outcome, folders });
    noteKilled(places, entry, outcome);
    const what = entry.instance === '' ? entry.action : `${entry.action} of ${entry.instance}`;
    task.warn(`${what}, begun ${entry.begunAt}, had not ended: ${outcome}`);
  }
  return recovered;
}

/** Who was killed could not write it down. */
function noteKilled({ audit }: Operation['places'], entry: JournalEntry, outcome: Recovered['outcome']): void {
  const { action, instance, begunAt: begun } = entry;
  writeAudit(
    audit,
    { action, instance: instance === '' ? null : instance, result: 'KILLED', seconds: 0 },
    { begun, outcome },
  );
}

async function recoverEntry(operation: Recovering, entry: JournalEntry): Promise<Recovered['outcome']> {
  const { places } = operation;
  const undo = async (step: UndoStep): Promise<void> => await undoStep(operation, step);
  if (isWhole(places, entry)) {
    const scratch = entry.steps.filter((step) => step.kind === 'folder' && step.path.startsWith(`${places.scratch}/`));
    await unwind(places.journal, { ...entry, steps: scratch }, undo);
    return 'finished';
  }
  await unwind(places.journal, entry, undo);
  return entry.settled ? 'finished' : 'undone';
}

/** An instance's record is the last thing that is written of it: where it stands, nothing of it may be taken away again. */
function isWhole(places: Operation['places'], { instance, steps }: JournalEntry): boolean {
  if (instance === '') return false; // an action on the host
  const name = parseName(instance);
  const { folder } = instancePaths(places, name);
  const made = steps.some((step) => step.kind === 'folder' && step.path === folder);
  return made && readRecord(places, name) !== undefined;
}

/** Takes one step back. Each may have been taken back before, or never been made. */
export async function undoStep({ places, leases, task }: Recovering, step: UndoStep): Promise<void> {
  switch (step.kind) {
    case 'lease':
      return leases.release(step.port as Port, step.instanceId);
    case 'folder':
      await endProcessesOn(step.path);
      return await removeFolder(step.path);
    case 'move':
      if (exists(step.to) && !exists(step.from)) moveForGood(step.to, step.from);
      return;
    case 'moved-port': {
      const record = readRecord(places, parseName(step.instance));
      for (const port of step.ports) if (record && record.port !== port) leases.release(port as Port, record.id);
      return;
    }
    case 'files':
      // The folder may have been moved back already, with the files as they were.
      for (const { path, text, mode } of step.files) {
        if (text === null) removeFile(path);
        else if (exists(dirname(path))) writeFileForGood(path, text, mode);
      }
      return;
    case 'link':
      if (!exists(dirname(step.path))) return;
      return step.target === null ? removeLink(step.path) : pointLink(step.path, step.target);
    case 'claim': {
      const record = readRecord(places, parseName(step.instance));
      if (record === undefined) return;
      leases.revise(record.port, leaseHolderOf(places, record));
      if (record.pooler !== undefined) leases.revise(record.pooler.port, poolerHolderOf(places, record));
      return;
    }
    case 'own-server':
      return await startAgain(task, step.server);
    case 'program':
      return await endProgramOn(step.folder, step.name);
    case 'server': {
      const postmaster = livePostmaster(step.dataDirectory);
      if (postmaster) await stopServer(postmaster.pid, 'fast', 60_000, new AbortController().signal);
      return;
    }
    case 'database':
      return await undoSwap({ places, task }, step);
    case 'stopped': {
      const name = parseName(step.instance);
      const record = readRecord(places, name);
      if (record === undefined) return;
      const archiveFolder = archiveFolderOf(places, name);
      await startInstance(
        task,
        { bindir: record.bindir, major: record.version, version: '' },
        instancePaths(places, name),
        record,
        {
          archiveFolder,
          timeoutMs: 120_000,
        },
      );
      await told(task, async () => await matchRecord({ places, leases, task }, name));
      return await told(task, async () => await matchReceiver({ places, task }, name));
    }
    case 'pooler':
      return await told(task, async () => await matchRecord({ places, leases, task }, step.instance));
    case 'receiver':
      return await told(task, async () => await matchReceiver({ places, task }, step.instance));
  }
}

/** One that does not come up is told of: it is its own manager's then. */
async function startAgain(task: Recovering['task'], server: OwnServer): Promise<void> {
  try {
    await startOwnServer(server, task.signal);
  } catch (error) {
    task.signal.throwIfAborted();
    const what = server.cluster ?? server.dataDirectory;
    task.warn(`the server of ${what} ran before and could not be started again: ${toAppError(error).message}`);
  }
}

/** What stands beside a server and does not come up holds nothing else up: status and diagnose go on telling of it. */
async function told(task: Recovering['task'], match: () => Promise<void>): Promise<void> {
  try {
    await match();
  } catch (error) {
    task.signal.throwIfAborted();
    const { message, hint } = toAppError(error);
    task.warn(hint === undefined ? message : `${message}; ${hint}`);
  }
}

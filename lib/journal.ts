import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { nowIso } from './host/clock.ts';
import { listFolder, readJson } from './host/files.ts';
import { ensureFolder, removeFile } from './host/folders.ts';
import { writeJson } from './host/for-good.ts';
import { isAlive, ourselves } from './host/processes.ts';

/**
 * What must be done about a step when its operation did not end: by the operation itself when it fails or is interrupted,
 * by the next action when it was killed. Data, not code, so that any later process can do it.
 */
const stepSchema = z.discriminatedUnion('kind', [
  /** A port was leased: give it back. */
  z.object({ kind: z.literal('lease'), port: z.number(), instanceId: z.string() }),
  /** A folder was made for this operation: end what works on it and remove it. */
  z.object({ kind: z.literal('folder'), path: z.string() }),
  /** Something was moved: move it back, unless it never went. */
  z.object({ kind: z.literal('move'), from: z.string(), to: z.string() }),
  /** A server may have been started on this data directory: stop it. */
  z.object({ kind: z.literal('server'), dataDirectory: z.string() }),
  /** An instance moves between two ports: give back the one that its record does not name. */
  z.object({ kind: z.literal('moved-port'), instance: z.string(), ports: z.array(z.number()) }),
  /** Files are replaced: give them the text back that they had; null for one that is made. The mode is 0600 unless said. */
  z.object({
    kind: z.literal('files'),
    files: z.array(z.object({ path: z.string(), text: z.string().nullable(), mode: z.number().optional() })),
  }),
  /** A symbolic link is made, or led elsewhere: let it lead there again; null where there was none. */
  z.object({ kind: z.literal('link'), path: z.string(), target: z.string().nullable() }),
  /** The name or the memory that an instance's leases say changes: let them say what the record says. */
  z.object({ kind: z.literal('claim'), instance: z.string() }),
  /** A pooler was being made, changed or ended: let it be as the instance's record says. */
  z.object({ kind: z.literal('pooler'), instance: z.string() }),
  /** A receiver of WAL was being made or ended: let it be as the instance's record says. */
  z.object({ kind: z.literal('receiver'), instance: z.string() }),
  /** A database is restored under another name, to take the place of one: drop it, and let the one keep its name. */
  z.object({
    kind: z.literal('database'),
    instance: z.string(),
    name: z.string(),
    fresh: z.string(),
    aside: z.string().nullable(),
  }),
  /** A server that its own manager runs was stopped, to be adopted: let that start it again. */
  z.object({
    kind: z.literal('own-server'),
    server: z.object({
      dataDirectory: z.string(),
      cluster: z.string().nullable(),
      command: z.array(z.string()),
      output: z.string(),
    }),
  }),
  /** A program that must not be there when anything else works on a folder: end it. What it did may stay. */
  z.object({ kind: z.literal('program'), name: z.string(), folder: z.string() }),
  /** A running instance was stopped: start it again. */
  z.object({ kind: z.literal('stopped'), instance: z.string() }),
]);

export type UndoStep = z.infer<typeof stepSchema>;

const entrySchema = z.object({
  schema: z.literal(1),
  id: z.string(),
  action: z.string(),
  instance: z.string(),
  begunAt: z.string(),
  process: z.object({ pid: z.number(), started: z.string(), host: z.string() }),
  /** Whether the operation has reached what it was for; what is left is clearing up. */
  settled: z.boolean(),
  /** What to do, last first, should the operation be found unfinished. */
  steps: z.array(stepSchema),
});

export type JournalEntry = z.infer<typeof entrySchema>;

/**
 * The intents of one operation. Each is on disk before its effect; `settle` makes what was done so far lasting; `close`
 * says that the operation has ended and nothing is left to do.
 */
export class Journal {
  private readonly file: string;
  private readonly entry: JournalEntry;

  private readonly assertLocked: () => void;

  private constructor(file: string, entry: JournalEntry, assertLocked: () => void) {
    this.file = file;
    this.entry = entry;
    this.assertLocked = assertLocked;
  }

  /** @param assertLocked throws when the operation has lost its lock; asked before every effect */
  static begin(folder: string, action: string, instance: string, assertLocked: () => void): Journal {
    ensureFolder(folder);
    const id = randomUUID();
    const entry: JournalEntry = {
      schema: 1,
      id,
      action,
      instance,
      begunAt: nowIso(),
      process: ourselves(),
      settled: false,
      steps: [],
    };
    const journal = new Journal(journalFile(folder, id), entry, assertLocked);
    journal.write();
    return journal;
  }

  /** Says what the next effect is, before it. */
  intend(step: UndoStep): void {
    this.assertLocked();
    this.entry.steps.push(step);
    this.write();
  }

  /** Keeps what was done: from here on, only `next` is to be done should the operation not end. */
  settle(...next: UndoStep[]): void {
    this.entry.settled = true;
    this.entry.steps = next;
    this.write();
  }

  close(): void {
    removeFile(this.file);
  }

  /** Unique to the operation: for names of what it makes. */
  get id(): string {
    return this.entry.id;
  }

  get unfinished(): JournalEntry {
    return this.entry;
  }

  private write(): void {
    writeJson(this.file, this.entry);
    stopHereForTest();
  }
}

function journalFile(folder: string, id: string): string {
  return join(folder, `${id}.json`);
}

let writes = 0;

/** For the fault sweep in tests/faults: PG_MANAGE_TEST_KILL_AT=k ends this process, as kill -9 does, after its k-th intent. */
function stopHereForTest(): void {
  writes += 1;
  if (process.env['PG_MANAGE_TEST_KILL_AT'] === String(writes)) process.kill(process.pid, 'SIGKILL');
}

/** Every operation that has begun and not ended. */
export function listJournal(folder: string): JournalEntry[] {
  return listFolder(folder)
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .flatMap((name) => readJson(join(folder, name), entrySchema) ?? []);
}

/** The operations whose process still lives, and those whose process is gone. */
export function readJournal(folder: string): { running: JournalEntry[]; unfinished: JournalEntry[] } {
  const entries = listJournal(folder);
  return {
    running: entries.filter((entry) => isAlive(entry.process)),
    unfinished: entries.filter((entry) => !isAlive(entry.process)),
  };
}

/** Does what an unfinished operation left to do, last step first, and then forgets it. Every step may be done twice. */
export async function unwind(
  folder: string,
  entry: JournalEntry,
  undo: (step: UndoStep) => Promise<void>,
): Promise<void> {
  for (const step of entry.steps.toReversed()) await undo(step);
  removeFile(journalFile(folder, entry.id));
}

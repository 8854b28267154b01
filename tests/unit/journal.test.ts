import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '../../lib/host/wait.ts';
import { Journal, type JournalEntry, readJournal, type UndoStep, unwind } from '../../lib/journal.ts';

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pgm-journal-'));
  folder = join(root, 'journal');
});
afterEach(() => rmSync(root, { recursive: true }));

const held = (): void => undefined;
const lease: UndoStep = { kind: 'lease', port: 5433, instanceId: 'id-a' };
const data: UndoStep = { kind: 'folder', path: '/srv/pg/instances/a' };
const server: UndoStep = { kind: 'server', dataDirectory: '/srv/pg/instances/a/data' };
const move: UndoStep = { kind: 'move', from: '/a', to: '/b' };
const stopped: UndoStep = { kind: 'stopped', instance: 'a' };

/** What another process would find now. */
function onDisk(journal: Journal): JournalEntry {
  return JSON.parse(readFileSync(join(folder, `${journal.id}.json`), 'utf8')) as JournalEntry;
}

/** Makes an entry look as if its process had been killed. */
function kill(journal: Journal): void {
  const entry = onDisk(journal);
  entry.process.pid = spawnSync(process.execPath, ['-e', '0']).pid;
  writeFileSync(join(folder, `${journal.id}.json`), JSON.stringify(entry));
}

describe('Journal', () => {
  it('is on disk from its beginning, and gone after its end', () => {
    const journal = Journal.begin(folder, 'create', 'a', held);
    expect(onDisk(journal)).toMatchObject({
      action: 'create',
      instance: 'a',
      steps: [],
      process: { pid: process.pid },
    });
    journal.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('has each intent on disk before the caller can go on to its effect', () => {
    const journal = Journal.begin(folder, 'create', 'a', held);
    const steps = [lease, data, server, move, stopped];
    for (const [index, step] of steps.entries()) {
      journal.intend(step);
      expect(onDisk(journal).steps).toEqual(steps.slice(0, index + 1));
    }
    expect(readdirSync(folder)).toEqual([`${journal.id}.json`]);
  });

  it('settles: what was intended lasts, and only what is named now would be done', () => {
    const journal = Journal.begin(folder, 'restore', 'a', held);
    journal.intend(data);
    journal.intend(move);
    journal.settle(stopped);
    expect(onDisk(journal).steps).toEqual([stopped]);
    journal.settle();
    expect(onDisk(journal).steps).toEqual([]);
    expect(journal.unfinished.steps).toEqual([]);
  });

  it('begins nothing further when the lock is lost', () => {
    let lost = false;
    const journal = Journal.begin(folder, 'create', 'a', () => {
      if (lost) throw new Error('lock lost');
    });
    journal.intend(lease);
    lost = true;
    expect(() => journal.intend(data)).toThrow('lock lost');
    expect(onDisk(journal).steps).toEqual([lease]);
  });

  it('keeps two operations apart', () => {
    const one = Journal.begin(folder, 'create', 'a', held);
    const two = Journal.begin(folder, 'create', 'a', held);
    one.intend(lease);
    expect(one.id).not.toBe(two.id);
    expect(onDisk(two).steps).toEqual([]);
    one.close();
    expect(readdirSync(folder)).toEqual([`${two.id}.json`]);
  });
});

describe('readJournal', () => {
  it('tells the operations of the living from those of the dead', () => {
    expect(readJournal(folder)).toEqual({ running: [], unfinished: [] });
    const living = Journal.begin(folder, 'backup', 'a', held);
    const dead = Journal.begin(folder, 'create', 'b', held);
    dead.intend(lease);
    kill(dead);
    const found = readJournal(folder);
    expect(found.running.map(({ id }) => id)).toEqual([living.id]);
    expect(found.unfinished).toMatchObject([{ id: dead.id, action: 'create', instance: 'b', steps: [lease] }]);
  });

  it('passes over a file that a killed process has not finished, and names a damaged one', () => {
    const journal = Journal.begin(folder, 'create', 'a', held);
    writeFileSync(join(folder, '.x.json.abc.tmp'), '{');
    expect(readJournal(folder).running).toHaveLength(1);
    writeFileSync(join(folder, `${journal.id}.json`), '{"schema":1}');
    expect(() => readJournal(folder)).toThrow(
      expect.objectContaining({ code: 'FILE_DAMAGED', message: expect.stringContaining(journal.id) }),
    );
  });
});

describe('unwind', () => {
  it('takes the last step back first, one after the other, and then forgets the entry', async () => {
    const journal = Journal.begin(folder, 'create', 'a', held);
    for (const step of [lease, data, server]) journal.intend(step);
    const undone: string[] = [];
    await unwind(folder, journal.unfinished, async ({ kind }) => {
      expect(onDisk(journal).steps).toHaveLength(3);
      undone.push(`${kind} begins`);
      await pause(5);
      undone.push(`${kind} ends`);
    });
    expect(undone).toEqual(['server', 'folder', 'lease'].flatMap((kind) => [`${kind} begins`, `${kind} ends`]));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('keeps the whole entry for the next try when a step cannot be taken back', async () => {
    const journal = Journal.begin(folder, 'create', 'a', held);
    for (const step of [lease, data]) journal.intend(step);
    const fault = async (): Promise<void> => {
      throw new Error('disk on fire');
    };
    await expect(unwind(folder, journal.unfinished, fault)).rejects.toThrow('disk on fire');
    expect(onDisk(journal).steps).toEqual([lease, data]);
    await unwind(folder, journal.unfinished, async () => undefined);
    expect(readdirSync(folder)).toEqual([]);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  archiveFolderOf,
  archiveOfBackup,
  baseFolderOf,
  prepareArchive,
  repositoryNames,
} from '../../../lib/backups/repository.ts';
import { parseName } from '../../../lib/instances/names.ts';
import { type Places, placesOf } from '../../../lib/instances/places.ts';
import type { UndoStep } from '../../../lib/journal.ts';
import type { Operation } from '../../../lib/operation.ts';

const name = parseName('client-a');
const first = '11111111-aaaa-4aaa-8aaa-000000000000';
const second = '22222222-bbbb-4bbb-8bbb-000000000000';
const third = '33333333-cccc-4ccc-8ccc-000000000000';
let root: string;
let places: Places;
let leases: { instanceId: string; instance: string; root: string }[];
let steps: { step: UndoStep; wal: string[] }[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pgm-repository-'));
  places = placesOf(root, join(root, 'backups'), join(root, 'host'));
  steps = [];
  leases = [];
});
afterEach(() => rmSync(root, { recursive: true }));

const archives = (): string[] => {
  const folder = join(places.repository, name);
  return existsSync(folder) ? readdirSync(folder).filter((entry) => entry.startsWith('wal')) : [];
};

function prepare(id: string, journalId = 'journal-1'): string {
  const journal = { id: journalId, intend: (step: UndoStep) => void steps.push({ step, wal: archives() }) };
  return prepareArchive({ places, journal, leases: { all: () => leases } } as unknown as Operation, name, id);
}

describe('prepareArchive', () => {
  it('makes archive and base folder, having said so before', () => {
    const folder = prepare(first);
    expect(folder).toBe(archiveFolderOf(places, name));
    expect([existsSync(folder), existsSync(baseFolderOf(places, name))]).toEqual([true, true]);
    const mark = { path: join(places.repository, name, 'machine.json'), text: null };
    expect(steps).toEqual([
      { step: { kind: 'folder', path: folder }, wal: [] },
      { step: { kind: 'files', files: [mark] }, wal: ['wal'] },
    ]);
  });

  it('is the same archive for the same instance, with nothing to undo', () => {
    writeFileSync(join(prepare(first), '000000010000000000000001'), 'kept');
    steps = [];
    const folder = prepare(first);
    expect(readdirSync(folder)).toContain('000000010000000000000001');
    expect(steps).toEqual([]);
  });

  it('leaves the archive of an instance that lives in another root where it is, and says whose it is', () => {
    prepare(first);
    const other = join(root, 'other');
    leases = [{ instanceId: first, instance: name, root: other }];
    mkdirSync(join(other, 'instances', name), { recursive: true });
    expect(() => prepare(second)).toThrow(
      expect.objectContaining({ code: 'INSTANCE_EXISTS', message: expect.stringContaining(`client-a of ${other}`) }),
    );
    expect(archives()).toEqual(['wal']);
    // Lost there, it is an earlier one.
    rmSync(other, { recursive: true });
    prepare(second);
    expect(archives().sort()).toEqual(['wal', `wal-${first}`]);
  });

  it('moves the archive of an earlier instance of this name aside, whole', () => {
    const folder = prepare(first);
    writeFileSync(join(folder, '000000010000000000000001'), 'old');
    steps = [];
    expect(prepare(second)).toBe(folder);
    expect(readdirSync(folder)).toEqual(['.instance']);
    expect(archives()).toEqual(['wal', `wal-${first}`]);
    expect(readdirSync(`${folder}-${first}`)).toEqual(['.instance', '000000010000000000000001']);
    expect(steps).toEqual([
      { step: { kind: 'move', from: folder, to: `${folder}-${first}` }, wal: ['wal'] },
      { step: { kind: 'folder', path: folder }, wal: [`wal-${first}`] },
    ]);
    prepare(third);
    expect(archives()).toEqual(['wal', `wal-${first}`, `wal-${second}`]);
  });

  it('keeps archives apart whose instances have ids that begin alike', () => {
    const alike = first.replace(/0$/, '1');
    const folder = prepare(first);
    writeFileSync(join(folder, '000000010000000000000001'), 'of the first');
    prepare(alike);
    prepare(second);
    expect(archives()).toEqual(['wal', `wal-${first}`, `wal-${alike}`]);
    expect(readdirSync(`${folder}-${first}`)).toEqual(['.instance', '000000010000000000000001']);
    expect(readdirSync(`${folder}-${alike}`)).toEqual(['.instance']);
    expect(archiveOfBackup(places, name, alike)).toBe(`${folder}-${alike}`);
  });

  it('moves an archive aside of which nobody knows the owner', () => {
    const folder = archiveFolderOf(places, name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '000000010000000000000001'), 'whose?');
    prepare(first);
    const aside = `${folder}-unowned-journal-1`;
    expect(readdirSync(aside)).toEqual(['000000010000000000000001']);
    expect(steps[0]).toEqual({ step: { kind: 'move', from: folder, to: aside }, wal: ['wal'] });
  });

  it('puts a second one without owner beside the first, by the operation that found it', () => {
    const folder = archiveFolderOf(places, name);
    for (const [journalId, segment] of [
      ['journal-1', '000000010000000000000001'],
      ['journal-2', '000000010000000000000002'],
    ] as const) {
      mkdirSync(folder, { recursive: true });
      rmSync(join(folder, '.instance'), { force: true });
      writeFileSync(join(folder, segment), 'whose?');
      prepare(first, journalId);
      expect(readdirSync(`${folder}-unowned-${journalId}`)).toEqual([segment]);
    }
    expect(archives()).toEqual(['wal', 'wal-unowned-journal-1', 'wal-unowned-journal-2']);
  });
});

describe('archiveOfBackup', () => {
  it('finds the WAL of each instance that had the name', () => {
    const folder = archiveFolderOf(places, name);
    expect(archiveOfBackup(places, name, first)).toBe(folder);
    prepare(first);
    expect(archiveOfBackup(places, name, first)).toBe(folder);
    prepare(second);
    expect(archiveOfBackup(places, name, second)).toBe(folder);
    expect(archiveOfBackup(places, name, first)).toBe(`${folder}-${first}`);
    expect(existsSync(archiveOfBackup(places, name, first))).toBe(true);
  });
});

describe('repositoryNames', () => {
  it('knows all that have an archive, and no other folder', () => {
    expect(repositoryNames(places)).toEqual([]);
    prepare(first);
    for (const other of ['.git', 'notes', '1x/wal', 'b/wal'])
      mkdirSync(join(places.repository, other), { recursive: true });
    writeFileSync(join(places.repository, 'README.md'), '');
    expect(repositoryNames(places)).toEqual(['b', 'client-a']);
  });
});

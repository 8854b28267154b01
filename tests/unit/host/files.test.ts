import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  createFileForGood,
  ensureFolder,
  fileSize,
  folderBytes,
  isFolder,
  listFolder,
  moveForGood,
  readBytes,
  readJson,
  readText,
  readTextFrom,
  realPath,
  removeFile,
  removeFolder,
  sha256,
  writeFileForGood,
  writeJson,
} from '../../../lib/host/files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgm-host-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const modeOf = (name: string): number => statSync(at(name)).mode & 0o7777;

/** Runs a step as a caller whose files nobody else may read by default. */
function withPrivateUmask<T>(step: () => T): T {
  const before = process.umask(0o077);
  try {
    return step();
  } finally {
    process.umask(before);
  }
}

describe('writeFileForGood', () => {
  it('puts new content in the place of old, private by default', () => {
    writeFileForGood(at('a'), 'old');
    writeFileForGood(at('a'), Buffer.from([0, 255]));
    expect([...readFileSync(at('a'))]).toEqual([0, 255]);
    expect(modeOf('a')).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('leaves what was there, and no temporary file, when it fails', () => {
    mkdirSync(at('a'));
    writeFileSync(at('a/kept'), 'old');
    expect(() => writeFileForGood(at('a'), 'new')).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(folder)).toEqual(['a']);
    expect(readFileSync(at('a/kept'), 'utf8')).toBe('old');
    expect(() => writeFileForGood(at('missing/a'), 'new')).toThrow(/ENOENT/);
  });

  it('never changes the old file in place: who has it open reads on', () => {
    writeFileForGood(at('a'), 'old');
    const before = statSync(at('a')).ino;
    writeFileForGood(at('a'), 'new');
    expect(statSync(at('a')).ino).not.toBe(before);
  });

  it('gives the mode it was asked for, whatever the umask', () => {
    withPrivateUmask(() => writeFileForGood(at('shared'), 'x', 0o644));
    expect(modeOf('shared')).toBe(0o644);
  });
});

describe('createFileForGood', () => {
  it('is won by exactly one of many, whose content stays', () => {
    const contents = Array.from({ length: 25 }, (_, index) => `mine ${index}`);
    const won = contents.filter((content) => createFileForGood(at('a'), content));
    expect(won).toEqual(['mine 0']);
    expect(readText(at('a'))).toBe('mine 0');
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('gives the mode it was asked for, whatever the umask', () => {
    withPrivateUmask(() => createFileForGood(at('shared'), 'x', 0o644));
    expect(modeOf('shared')).toBe(0o644);
  });

  it('tells any other failure, and leaves nothing', () => {
    expect(() => createFileForGood(at('missing/a'), 'x')).toThrow(/ENOENT/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('readJson', () => {
  const schema = z.object({ size: z.number() });

  it('gives back what writeJson wrote, and undefined without a file', () => {
    writeJson(at('a.json'), { size: 3 });
    expect(readJson(at('a.json'), schema)).toEqual({ size: 3 });
    expect(readJson(at('b.json'), schema)).toBeUndefined();
  });

  it.each(['', '{"size":', '{"size":"3"}', '[]', 'null'])(
    'calls a file that holds %j damaged, and names it',
    (text) => {
      writeFileSync(at('a.json'), text);
      expect(() => readJson(at('a.json'), schema)).toThrow(
        expect.objectContaining({ code: 'FILE_DAMAGED', message: expect.stringContaining(at('a.json')) }),
      );
    },
  );
});

describe('reading', () => {
  it('gives names in order, and none for a folder that is not there', () => {
    for (const name of ['b', 'a', '.c']) writeFileSync(at(name), '');
    expect(listFolder(folder)).toEqual(['.c', 'a', 'b']);
    expect(listFolder(at('missing'))).toEqual([]);
    expect(listFolder(at('a/below-a-file'))).toEqual([]);
  });

  it('gives undefined for what is not there, and an error for what cannot be read', () => {
    for (const read of [readText, realPath, fileSize]) expect(read(at('missing'))).toBeUndefined();
    expect(readBytes(at('missing'), 0, 8)).toBeUndefined();
    expect(() => readText(folder)).toThrow(/EISDIR/);
  });

  it('gives a part of a file, shorter where the file ends', () => {
    writeFileSync(at('a'), 'abcdef');
    expect(readBytes(at('a'), 4, 8)?.toString()).toBe('ef');
    expect(readBytes(at('a'), 9, 8)).toHaveLength(0);
    expect([readTextFrom(at('a'), 3), readTextFrom(at('a'), 99), readTextFrom(at('b'), 0)]).toEqual(['def', '', '']);
  });

  it('counts bytes below a folder, a link as itself', async () => {
    mkdirSync(at('x/y'), { recursive: true });
    writeFileSync(at('x/y/a'), 'abc');
    writeFileSync(at('x/b'), 'de');
    expect(folderBytes(at('x'))).toBe(5);
    symlinkSync(at('x'), at('link'));
    expect([isFolder(at('x')), isFolder(at('link')), isFolder(at('x/b'))]).toEqual([true, false, false]);
    // printf abc | sha256sum
    expect(await sha256(at('x/y/a'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});

describe('folders', () => {
  it('ensureFolder makes what is missing, and leaves what is there', () => {
    withPrivateUmask(() => ensureFolder(at('x/y/z'), 0o750));
    expect([modeOf('x'), modeOf('x/y'), modeOf('x/y/z')]).toEqual([0o755, 0o755, 0o750]);
    ensureFolder(at('x/y'), 0o700);
    expect(modeOf('x/y')).toBe(0o755);
  });

  it('moveForGood and removing', async () => {
    mkdirSync(at('x/y'), { recursive: true });
    moveForGood(at('x/y'), at('z'));
    expect([existsSync(at('x/y')), isFolder(at('z'))]).toEqual([false, true]);
    removeFile(at('missing'));
    await removeFolder(at('x'));
    await removeFolder(at('missing'));
    expect(readdirSync(folder)).toEqual(['z']);
  });
});

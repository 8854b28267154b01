import { describe, expect, it } from '@jest/globals';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import {
  fileSize,
  folderBytes,
  isFolder,
  listFolder,
  readBytes,
  readJson,
  readText,
  readTextFrom,
  realPath,
  sha256,
} from '../../../lib/host/files.ts';
import { writeJson } from '../../../lib/host/for-good.ts';
import { eachInAFolder } from './folder.ts';

const { at } = eachInAFolder();

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
    expect(listFolder(at())).toEqual(['.c', 'a', 'b']);
    expect(listFolder(at('missing'))).toEqual([]);
    expect(listFolder(at('a/below-a-file'))).toEqual([]);
  });

  it('gives undefined for what is not there, and an error for what cannot be read', () => {
    for (const read of [readText, realPath, fileSize]) expect(read(at('missing'))).toBeUndefined();
    expect(readBytes(at('missing'), 0, 8)).toBeUndefined();
    expect(() => readText(at())).toThrow(/EISDIR/);
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

import { describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { isFolder, readText } from '../../../lib/host/files.ts';
import { createFileForGood, moveForGood, writeFileForGood } from '../../../lib/host/for-good.ts';
import { eachInAFolder, withPrivateUmask } from './folder.ts';

const { at, modeOf } = eachInAFolder();

describe('writeFileForGood', () => {
  it('puts new content in the place of old, private by default', () => {
    writeFileForGood(at('a'), 'old');
    writeFileForGood(at('a'), Buffer.from([0, 255]));
    expect([...readFileSync(at('a'))]).toEqual([0, 255]);
    expect(modeOf('a')).toBe(0o600);
    expect(readdirSync(at())).toEqual(['a']);
  });

  it('leaves what was there, and no temporary file, when it fails', () => {
    mkdirSync(at('a'));
    writeFileSync(at('a/kept'), 'old');
    expect(() => writeFileForGood(at('a'), 'new')).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(at())).toEqual(['a']);
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
    expect(readdirSync(at())).toEqual(['a']);
  });

  it('gives the mode it was asked for, whatever the umask', () => {
    withPrivateUmask(() => createFileForGood(at('shared'), 'x', 0o644));
    expect(modeOf('shared')).toBe(0o644);
  });

  it('tells any other failure, and leaves nothing', () => {
    expect(() => createFileForGood(at('missing/a'), 'x')).toThrow(/ENOENT/);
    expect(readdirSync(at())).toEqual([]);
  });
});

describe('moveForGood', () => {
  it('moves a folder with all in it', () => {
    mkdirSync(at('x/y'), { recursive: true });
    moveForGood(at('x/y'), at('z'));
    expect([existsSync(at('x/y')), isFolder(at('z'))]).toEqual([false, true]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { mkdirSync, readdirSync } from 'node:fs';
import { ensureFolder, removeFile, removeFolder } from '../../../lib/host/folders.ts';
import { eachInAFolder, withPrivateUmask } from './folder.ts';

const { at, modeOf } = eachInAFolder();

describe('folders', () => {
  it('ensureFolder makes what is missing, and leaves what is there', () => {
    withPrivateUmask(() => ensureFolder(at('x/y/z'), 0o750));
    expect([modeOf('x'), modeOf('x/y'), modeOf('x/y/z')]).toEqual([0o755, 0o755, 0o750]);
    ensureFolder(at('x/y'), 0o700);
    expect(modeOf('x/y')).toBe(0o755);
  });

  it('removing takes a folder with all in it, and nothing for what is not there', async () => {
    mkdirSync(at('x/y'), { recursive: true });
    removeFile(at('missing'));
    await removeFolder(at('x'));
    await removeFolder(at('missing'));
    expect(readdirSync(at())).toEqual([]);
  });
});

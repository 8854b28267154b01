import { describe, expect, it } from '@jest/globals';
import { halves } from '../../../lib/postgres/manifest.ts';

const MB = 1024 ** 2;
const file = (Path: string, megabytes: number) => ({ Path, Size: megabytes * MB });

describe('the large files of a backup as two sets for two processes', () => {
  it('are of about the same size, and hold no small file', () => {
    const files = [file('a', 1024), file('b', 1000), file('c', 100), file('d', 90), file('small', 63)];
    expect(halves(files)).toEqual([
      ['a', 'c'],
      ['b', 'd'],
    ]);
  });

  it('are not made where a second process is not worth it', () => {
    expect(halves([file('a', 1023), file('small', 1)])).toEqual([[]]);
    const small = Array.from({ length: 1000 }, (_, index) => file(`small ${index}`, 1));
    expect(halves([file('a', 1999), ...small])).toEqual([[]]);
    expect(halves([file('a', 2000), ...small])).toEqual([['a'], []]);
    expect(halves([])).toEqual([[]]);
  });

  it('leave out a file whose name the manifest cannot say, and are not made of more than fit on a command line', () => {
    expect(halves([{ Size: 2048 * MB }, file('a', 8192)])).toEqual([['a'], []]);
    expect(halves(Array.from({ length: 2001 }, (_, index) => file(String(index), 64)))).toEqual([[]]);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatSize, humanBytes, parseSize, spellSize } from '../../../lib/tuning/sizes.ts';

describe('parseSize', () => {
  it.each([
    ['4GB', 4 * 1024 ** 3],
    ['512mb', 512 * 1024 ** 2],
    ['64kB', 65536],
    ['64KB', 65536],
    ['1TB', 1024 ** 4],
    ['1024', 1024],
    ['1.5 GB', 1.5 * 1024 ** 3],
    ['0', 0],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it('counts a bare number in the unit of its setting', () => {
    expect(parseSize('16384', 8192)).toBe(128 * 1024 ** 2);
    expect(parseSize('16384B', 8192)).toBe(16384);
  });

  it.each(['', 'GB', '4XB', '-1', '4 G B', '1e3', '99999999TB', '4GiB', '½GB'])('refuses "%s"', (text) => {
    expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'BAD_SETTING' }));
  });

  it('reads back what formatSize wrote', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => Number(parseSize(formatSize(bytes))) === bytes));
  });
});

it.each([
  [128 * 1024 ** 2, '128MB'],
  [1024 ** 3, '1GB'],
  [16384 * 1024, '16MB'],
  [1536 * 1024 ** 2, '1536MB'],
  [1000, '1000B'],
  [0, '0'],
])('formatSize(%d) is %s', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});

it.each([
  [1.5 * 1024 ** 3, '1.5 GB'],
  [37.2 * 1024 ** 2, '37.2 MB'],
  [1024 ** 3 - 1, '1 GB'],
  [512, '512 B'],
  [0, '0 B'],
])('humanBytes(%d) is %s', (bytes, text) => {
  expect(humanBytes(bytes)).toBe(text);
});

it('spells units as the server wants them', () => {
  expect(['64 mb', '1gb', '-1', '8192', 'on'].map(spellSize)).toEqual(['64MB', '1GB', '-1', '8192', 'on']);
});

import { describe, expect, it } from '@jest/globals';
import { crc32c } from '../../../lib/postgres/crc32c.ts';
import { pageChecksum } from '../../../lib/postgres/page-checksum.ts';

describe('crc32c', () => {
  it('gives the check value of its definition and the examples of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, n) => n)))).toBe(0x46dd794e);
    expect(crc32c(Buffer.alloc(0))).toBe(0);
  });

  it('is the same however the bytes are parted', () => {
    const bytes = Buffer.from('one two three four five six seven');
    for (let at = 0; at <= bytes.length; at++) {
      expect(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at)))).toBe(crc32c(bytes));
    }
  });
});

describe('pageChecksum', () => {
  it('says nothing of a page that was never used', () => {
    expect(pageChecksum(Buffer.alloc(8192), 0)).toBeUndefined();
  });

  it('depends on every byte, on the place of the page, and not on the sum that it holds', () => {
    const page = Buffer.alloc(8192);
    page.writeUInt16LE(8192, 14);
    const sum = pageChecksum(page, 7)?.actual;
    expect(pageChecksum(page, 8)?.actual).not.toBe(sum);
    page.writeUInt16LE(0x1234, 8);
    expect(pageChecksum(page, 7)).toEqual({ stored: 0x1234, actual: sum });
    for (const at of [0, 10, 4096, 8191]) {
      const flipped = Buffer.from(page);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      expect(pageChecksum(flipped, 7)?.actual).not.toBe(sum);
    }
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { lsnBytes, parseLsn } from '../../../lib/postgres/lsn.ts';
import {
  defaultSegmentBytes,
  historyName,
  lastSegmentNumber,
  parseHistory,
  parseSegmentHeader,
  parseSegmentName,
  segmentName,
  segmentNumber,
} from '../../../lib/postgres/wal.ts';

// initdb --wal-segsize: powers of two from 1 MB to 1 GB.
const anySegmentBytes = fc.integer({ min: 20, max: 30 }).map((power) => 2 ** power);
const anyPosition = fc.bigInt({ min: 1n, max: 0xffff_ffff_ffff_ffffn });

function lsnAt(position: bigint) {
  return parseLsn(`${(position >> 32n).toString(16)}/${(position & 0xffff_ffffn).toString(16)}`);
}

describe('segment names', () => {
  it('come back as they were, for every segment size', () => {
    fc.assert(
      fc.property(
        anySegmentBytes,
        fc.integer({ min: 1, max: 0xffff_ffff }),
        anyPosition,
        (size, timeline, position) => {
          const segment = { timeline, number: position / BigInt(size) };
          const name = segmentName(segment, size);
          expect(name).toMatch(/^[0-9A-F]{24}$/);
          expect(parseSegmentName(name, size)).toEqual(segment);
        },
      ),
    );
  });

  it('are those of pg_walfile_name', () => {
    const number = segmentNumber(parseLsn('16/B374D848'), defaultSegmentBytes);
    expect(segmentName({ timeline: 13, number }, defaultSegmentBytes)).toBe('0000000D00000016000000B3');
    // A 64 MB segment: 64 of them under each upper half.
    expect(segmentName({ timeline: 1, number: 64n }, 64 * 1024 * 1024)).toBe('000000010000000100000000');
    expect(segmentName({ timeline: 1, number: 63n }, 64 * 1024 * 1024)).toBe('00000001000000000000003F');
  });

  it('sort as the numbers do', () => {
    fc.assert(
      fc.property(anySegmentBytes, anyPosition, anyPosition, (size, a, b) => {
        const [one, two] = [a, b].map((position) => position / BigInt(size)) as [bigint, bigint];
        const names = [one, two].map((number) => segmentName({ timeline: 1, number }, size)) as [string, string];
        expect(names[0] < names[1]).toBe(one < two);
      }),
    );
  });

  it.each([
    '00000002.history',
    '0000000100000000000000A0.partial',
    '000000010000000000000003.00000028.backup',
    '.000000010000000000000003.4711',
    '00000001000000000000000a',
    '00000001000000000000000',
    '0000000100000000000000030',
    'archive_status',
    '',
  ])('are not %j', (name) => expect(parseSegmentName(name, defaultSegmentBytes)).toBeUndefined());

  it('give the history file of a timeline in hex', () => {
    expect(historyName(2)).toBe('00000002.history');
    expect(historyName(26)).toBe('0000001A.history');
  });
});

describe('a position on a boundary', () => {
  it('belongs to the segment that begins there, and needs only the one that ends there', () => {
    const boundary = parseLsn('0/3000000');
    expect(segmentNumber(boundary, defaultSegmentBytes)).toBe(3n);
    expect(lastSegmentNumber(boundary, defaultSegmentBytes)).toBe(2n);
    const behind = parseLsn('0/3000001');
    expect(segmentNumber(behind, defaultSegmentBytes)).toBe(3n);
    expect(lastSegmentNumber(behind, defaultSegmentBytes)).toBe(3n);
    const before = parseLsn('0/2FFFFFF');
    expect(segmentNumber(before, defaultSegmentBytes)).toBe(2n);
    expect(lastSegmentNumber(before, defaultSegmentBytes)).toBe(2n);
  });

  it('is the only one where the two rules differ', () => {
    const onBoundary = fc.tuple(anySegmentBytes, anyPosition).map(([size, position]): [number, bigint] => {
      const number = position / BigInt(size);
      return [size, (number === 0n ? 1n : number) * BigInt(size)];
    });
    fc.assert(
      fc.property(fc.oneof(fc.tuple(anySegmentBytes, anyPosition), onBoundary), ([size, position]) => {
        const lsn = lsnAt(position);
        const number = segmentNumber(lsn, size);
        expect(number * BigInt(size) <= lsnBytes(lsn) && lsnBytes(lsn) < (number + 1n) * BigInt(size)).toBe(true);
        expect(number - lastSegmentNumber(lsn, size)).toBe(position % BigInt(size) === 0n ? 1n : 0n);
      }),
    );
  });
});

describe('parseHistory', () => {
  it('reads what PostgreSQL writes at a promotion', () => {
    const text = [
      '1\t0/3000158\tno recovery target specified',
      '',
      '2\t0/50000A0\tbefore 2026-11-21 10:42:00.123456+00',
      '',
      '# a comment',
      '# 3\t0/60000A0\tno more than that',
      ' 11 \t1A/b0000D8\tat restore point "3 0/4"',
      '',
    ].join('\n');
    expect(parseHistory(text).map(({ timeline, leftAt }) => [timeline, lsnBytes(leftAt)])).toEqual([
      [1, 0x3000158n],
      [2, 0x50000a0n],
      [11, 0x1a_0b0000d8n],
    ]);
  });

  it('finds nothing in an empty file', () => expect(parseHistory('')).toEqual([]));
});

describe('parseSegmentHeader', () => {
  /** XLogLongPageHeaderData of PostgreSQL 15: magic, info, timeline, page address, remaining length, then the long part. */
  function header(info: number): Buffer {
    const bytes = Buffer.alloc(40);
    bytes.writeUInt16LE(0xd110, 0);
    bytes.writeUInt16LE(info, 2);
    bytes.writeUInt32LE(7, 4);
    bytes.writeBigUInt64LE(0x1a_03000000n, 8);
    bytes.writeBigUInt64LE(18_446_744_073_709_551_557n, 24);
    bytes.writeUInt32LE(16 * 1024 * 1024, 32);
    bytes.writeUInt32LE(8192, 36);
    return bytes;
  }

  it('reads timeline, page address, system identifier (all 64 bits of both) and segment size', () => {
    const expected = {
      timeline: 7,
      pageAddress: 0x1a_03000000n,
      systemIdentifier: '18446744073709551557',
      segmentBytes: 16_777_216,
    };
    expect(parseSegmentHeader(header(0x0002))).toEqual(expected);
    expect(parseSegmentHeader(header(0x0007))).toEqual(expected);
  });

  it('is undefined for a short header, for zeros and for a cut file', () => {
    expect(parseSegmentHeader(header(0x0001))).toBeUndefined();
    expect(parseSegmentHeader(Buffer.alloc(8192))).toBeUndefined();
    expect(parseSegmentHeader(header(0x0002).subarray(0, 39))).toBeUndefined();
    expect(parseSegmentHeader(Buffer.alloc(0))).toBeUndefined();
  });
});

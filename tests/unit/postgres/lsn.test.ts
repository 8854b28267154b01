import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compareLsn, lsnAt, lsnBytes, parseLsn } from '../../../lib/postgres/lsn.ts';

const anyPosition = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });

function written(position: bigint): string {
  return `${(position >> 32n).toString(16)}/${(position & 0xffff_ffffn).toString(16)}`;
}

describe('parseLsn', () => {
  it('takes what PostgreSQL writes, in either case', () => {
    expect(parseLsn('16/B374D848')).toBe('16/B374D848');
    expect(parseLsn('16/b374d848')).toBe('16/B374D848');
    expect(parseLsn('0/0')).toBe('0/0');
  });

  it.each([
    '',
    '16',
    '16/',
    '/16',
    '16/B374D848 ',
    'G/0',
    '0/123456789',
    '123456789/0',
    '0x1/0',
    '1/2/3',
    '-1/0',
    '1/2\n',
  ])('refuses %j', (text) => expect(() => parseLsn(text)).toThrow(RangeError));
});

describe('lsnBytes', () => {
  it('counts bytes from the beginning of the WAL', () => {
    expect(lsnBytes(parseLsn('0/10'))).toBe(16n);
    expect(lsnBytes(parseLsn('1/0'))).toBe(4_294_967_296n);
    fc.assert(fc.property(anyPosition, (position) => lsnBytes(parseLsn(written(position))) === position));
  });
});

it('lsnAt writes a position as PostgreSQL does', () => {
  expect([lsnAt(0n), lsnAt(0x16_b374d848n), lsnAt(0x1_0000_000an)]).toEqual(['0/0', '16/B374D848', '1/A']);
  fc.assert(fc.property(anyPosition, (position) => lsnBytes(lsnAt(position)) === position));
});

describe('compareLsn', () => {
  it('compares positions, not texts', () => {
    expect(compareLsn(parseLsn('0/9000000'), parseLsn('0/10000000'))).toBe(-1);
    expect(compareLsn(parseLsn('A/0'), parseLsn('9/FFFFFFFF'))).toBe(1);
    expect(compareLsn(parseLsn('0/00000010'), parseLsn('0/10'))).toBe(0);
  });

  it('orders as the numbers do', () => {
    fc.assert(
      fc.property(anyPosition, anyPosition, (a, b) => {
        expect(compareLsn(parseLsn(written(a)), parseLsn(written(b)))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });
});

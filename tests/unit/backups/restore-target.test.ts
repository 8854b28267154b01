import { describe, expect, it } from '@jest/globals';
import { parseTarget, parseTime, type TargetOptions, targetSettings } from '../../../lib/backups/restore-target.ts';

describe('parseTime', () => {
  it.each([
    ['2026-11-21T10:42:00Z', '2026-11-21T10:42:00+00:00'],
    ['2026-11-21 10:42:00+01:00', '2026-11-21T10:42:00+01:00'],
    ['2026-11-21 10:42Z', '2026-11-21T10:42+00:00'],
    ['2026-11-21 10:42:00.123456 UTC', '2026-11-21T10:42:00.123456+00:00'],
    ['2026-11-21t10:42:00z', '2026-11-21T10:42:00+00:00'],
    ['2026-11-21 10:42:00-0330', '2026-11-21T10:42:00-03:30'],
    ['2026-11-21 10:42:00+05', '2026-11-21T10:42:00+05:00'],
    [' 2026-02-28 23:59:59.9-11:00 ', '2026-02-28T23:59:59.9-11:00'],
    ['2028-02-29 00:00Z', '2028-02-29T00:00+00:00'],
  ])('reads %j', (text, time) => {
    expect(parseTime(text)).toBe(time);
    expect(Date.parse(time)).not.toBeNaN();
  });

  it.each(['2026-11-21 10:42:00', '2026-11-21T10:42'])('asks %j for its zone', (text) => {
    expect(() => parseTime(text)).toThrow(
      expect.objectContaining({ code: 'BAD_TIME', exitCode: 2, message: expect.stringContaining('time zone') }),
    );
  });

  it.each([
    '',
    'yesterday',
    '10:42Z',
    '2026-11-21',
    '21.11.2026 10:42Z',
    '2026-13-01 10:42Z',
    '2026-02-30 10:42Z',
    '2027-02-29 10:42Z',
    '2026-11-21 25:00Z',
    '2026-11-21 10:61Z',
    '2026-11-21 10:42:00.1234567Z',
    '2026-11-21 10:42 CET',
    '2026-11-21 10:42+1',
    '2026-11-21 10:42+25:00',
    '2026-11-21 10:42+01:75',
    "2026-11-21 10:42Z'; x",
  ])('refuses %j', (text) => {
    expect(() => parseTime(text)).toThrow(expect.objectContaining({ code: 'BAD_TIME' }));
  });
});

const nothing: TargetOptions = {
  to: undefined,
  'to-time': undefined,
  'to-lsn': undefined,
  'to-name': undefined,
  'to-xid': undefined,
};
const parse = (given: Partial<TargetOptions>) => parseTarget({ ...nothing, ...given });

describe('parseTarget', () => {
  it.each([
    [{}, {}],
    [{ to: 'latest' }, {}],
    [{ to: 'before-gap' }, {}],
    [{ to: 'immediate' }, { recovery_target: 'immediate' }],
    [
      { 'to-time': '2026-11-21 10:42+01:00' },
      { recovery_target_time: '2026-11-21T10:42+01:00', recovery_target_inclusive: 'on' },
    ],
    [{ 'to-lsn': '16/b374d848' }, { recovery_target_lsn: '16/B374D848', recovery_target_inclusive: 'on' }],
    [{ 'to-xid': '4294967296' }, { recovery_target_xid: '4294967296', recovery_target_inclusive: 'on' }],
    [{ 'to-name': 'before release 7' }, { recovery_target_name: 'before release 7' }],
  ])('%j becomes the settings of the server', (given, settings) => {
    expect(targetSettings(parse(given))).toEqual(settings);
  });

  it.each([
    { 'to-lsn': '16' },
    { 'to-lsn': '0/0/0' },
    { 'to-xid': '0' },
    { 'to-xid': '-4' },
    { 'to-xid': '12x' },
    { 'to-name': '' },
    { 'to-name': 'x'.repeat(64) },
    { 'to-name': 'a\nb' },
  ])('%j is refused', (given) => {
    expect(() => parse(given)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('refuses two targets, naming both', () => {
    expect(() => parse({ to: 'immediate', 'to-xid': '7' })).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(/--to and --to-xid/) }),
    );
  });
});

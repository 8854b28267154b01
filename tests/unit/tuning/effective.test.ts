import { describe, expect, it } from '@jest/globals';
import { isInForce } from '../../../lib/tuning/effective.ts';

const row = (setting: string, unit: string | null, vartype: string) => ({ name: 'x', setting, unit, vartype });

describe('isInForce', () => {
  it.each([
    ['128MB', '16384', '8kB', 'integer'],
    ['16384', '16384', '8kB', 'integer'],
    ['1GB', '1024', 'MB', 'integer'],
    ['-1', '-1', 'kB', 'integer'],
    ['500ms', '500', 'ms', 'integer'],
    ['30min', '1800000', 'ms', 'integer'],
    ['1s', '1', 's', 'integer'],
    ['1d', '1440', 'min', 'integer'],
    ['0.9', '0.9', null, 'real'],
    ['1.10', '1.1', null, 'real'],
    ['50', '50', null, 'integer'],
    ['on', 'on', null, 'bool'],
    ['true', 'on', null, 'bool'],
    ['No', 'off', null, 'bool'],
    ['WORKER', 'worker', null, 'enum'],
    ['on', 'pglz', null, 'enum'],
    ['false', 'off', null, 'enum'],
    ['a, b', 'a, b', null, 'string'],
  ])('%s is %s (%s, %s)', (written, setting, unit, vartype) => {
    expect(isInForce(written, row(setting, unit, vartype))).toBe(true);
  });

  it.each([
    ['64MB', '16384', '8kB', 'integer'],
    ['1s', '1', 'ms', 'integer'],
    ['off', 'on', null, 'bool'],
    ['lz4', 'pglz', null, 'enum'],
    ['on', 'off', null, 'enum'],
    ['a', 'A', null, 'string'],
  ])('%s is not %s (%s, %s)', (written, setting, unit, vartype) => {
    expect(isInForce(written, row(setting, unit, vartype))).toBe(false);
  });
});

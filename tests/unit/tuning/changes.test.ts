import { expect, it } from '@jest/globals';
import { compareSettings } from '../../../lib/tuning/changes.ts';
import { readFault } from '../../../lib/postgres/configuration.ts';

it('says old, new and what each change takes', () => {
  const settings = [
    { name: 'work_mem', value: '8MB', reason: 'r' },
    { name: 'jit', value: 'off', reason: 'r' },
    { name: 'shared_buffers', value: '64MB', reason: 'r' },
    { name: 'ext.size', value: '1', reason: 'r' },
  ];
  const configured = new Map([
    ['work_mem', '4MB'],
    ['jit', 'off'],
    ['old_one', '3'],
  ]);
  const takes = new Map([
    ['work_mem', 'reload'],
    ['shared_buffers', 'restart'],
    ['old_one', 'reload'],
  ] as const);
  const changes = compareSettings({ settings }, configured, ['work_mem', 'old_one'], takes);
  expect(changes.map(({ name, before, after, takes: word }) => [name, before, after, word])).toEqual([
    ['work_mem', '4MB', '8MB', 'reload'],
    ['jit', 'off', 'off', null],
    ['shared_buffers', null, '64MB', 'restart'],
    ['ext.size', null, '1', 'restart'],
    ['old_one', '3', null, 'reload'],
  ]);
});

it.each([
  [
    '2026-11-22 GMT [1] FATAL:  invalid value for parameter "wal_level": "foo"\n2026 GMT [1] HINT:  Available values: a, b.',
    { name: 'wal_level', unknown: false, hint: 'Available values: a, b.' },
  ],
  ['FATAL:  unrecognized configuration parameter "shared_bufers"', { name: 'shared_bufers', unknown: true }],
  ['FATAL:  1 kB is outside the valid range for parameter "work_mem" (64 .. 2147483647)', { name: 'work_mem' }],
])('readFault understands %j', (output, fault) => {
  expect(readFault(output)).toMatchObject(fault);
});

it('readFault leaves what is no fault of a setting', () => {
  expect(readFault('postgres: could not access directory "/x"')).toBeUndefined();
});

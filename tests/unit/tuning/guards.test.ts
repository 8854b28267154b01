import { describe, expect, it } from '@jest/globals';
import {
  checkWish,
  givesUpDurability,
  isOff,
  objectionTo,
  unknownName,
  versionObjection,
} from '../../../lib/tuning/guards.ts';

describe('a setting that may not stand where it stands', () => {
  it.each([
    ['port', 'the tool leases ports'],
    ['listen_addresses', 'when the instance is created'],
    ['unix_socket_directories', 'keeps the sockets'],
    ['archive_timeout', 'archives WAL'],
    ['config_file', 'files together'],
    ['log_line_prefix', '--action logs'],
    ['restore_command', '--action restore'],
    ['recovery_target', '--action restore'],
    ['recovery_target_xid', '--action restore'],
    ['include_if_exists', 'edit that file by hand'],
  ])('%s: %s', (name, why) => {
    expect(objectionTo(name, 'x')).toEqual({
      message: expect.stringContaining(`${name} is not for templates or --set: `),
      hint: `leave ${name} out`,
    });
    expect(objectionTo(name, 'x')?.message).toContain(why);
  });

  it.each(['Work_Mem', 'a.b.c', '9a', 'a-b', '.a', 'a.', 'a.9', 'work_mem ', ' work_mem', '', 'a.B'])(
    'the name %j is none',
    (name) => expect(objectionTo(name, 'x')?.message).toBe(`"${name}" is not the name of a setting`),
  );

  it.each(['work_mem', '_x1', 'pg_stat_statements.max', 'a2.b_3', 'not_recovery_target', 'ports'])(
    'the name %s may be one',
    (name) => expect(objectionTo(name, 'x')).toBeUndefined(),
  );

  it.each(['a\nb', '\n', 'a\u0000', '\u001fb', 'a\u007fb', 'a\tb'])('the value %j is refused', (value) => {
    expect(objectionTo('application_name', value)?.hint).toBe('write it in one line');
  });

  it('a value may hold anything that stands in one line', () => {
    for (const value of ['', ' a b ', 'é\u0080', "it's"])
      expect(objectionTo('application_name', value)).toBeUndefined();
  });

  it('wal_level is replica, as backups need it and no more', () => {
    expect(objectionTo('wal_level', 'Replica')).toBeUndefined();
    expect(objectionTo('wal_level', 'Minimal')?.message).toBe('wal_level Minimal makes backups impossible');
    expect(objectionTo('wal_level', 'logical')?.message).toContain('is not supported');
    expect(objectionTo('log_level', 'minimal')).toBeUndefined();
  });
});

it('a name that nobody knows is told with the nearest one', () => {
  expect(unknownName('shared_bufers').message).toBe(
    'PostgreSQL has no setting "shared_bufers"; did you mean shared_buffers?',
  );
  expect(unknownName('x', ['work_mem'])).toEqual({
    message: 'PostgreSQL has no setting "x"',
    hint: expect.stringContaining('pg_settings'),
  });
});

it('PostgreSQL takes many words for off', () => {
  const off = ['off', 'of', 'OFF', ' off ', '0', 'f', 'false', 'fal', 'no', 'n'];
  const on = ['o', 'on', '', ' ', '1', 'yes', 'true', 'offf', 'falsee', 'none', 'xoff', '00'];
  expect(off.filter((word) => !isOff(word))).toEqual([]);
  expect(on.filter(isOff)).toEqual([]);
});

it('what gives up durability', () => {
  for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) {
    expect([givesUpDurability(name, 'off'), givesUpDurability(name, 'on')]).toEqual([true, false]);
  }
  expect(givesUpDurability('jit', 'off')).toBe(false);
});

it('the versions of a setting are its first and its last', () => {
  const told = (name: string, major: number) => versionObjection(name, major);
  expect([told('summarize_wal', 17), told('stats_temp_directory', 14), told('work_mem', 13)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(told('no.such', 13)).toBeUndefined();
  expect(told('summarize_wal', 16)).toEqual({
    message: 'summarize_wal came with PostgreSQL 17, and this is 16',
    hint: 'leave summarize_wal out',
  });
  expect(told('stats_temp_directory', 15)?.message).toBe(
    'stats_temp_directory left after PostgreSQL 14, and this is 15',
  );
});

describe('a wish', () => {
  const wish = (name: string, value: string, durable = true, isUnknown = false) =>
    expect(() => checkWish(name, value, 15, durable, isUnknown));
  const refused = (message: string, hint: string) =>
    expect.objectContaining({
      code: 'BAD_SETTING',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });

  it('may not lose the data, where that counts', () => {
    wish('fsync', 'off').toThrow(refused('fsync off can lose the whole instance in a crash', '--template testing'));
    wish('full_page_writes', 'no').toThrow(refused('full_page_writes off', 'testing'));
    wish('fsync', 'on').not.toThrow();
    wish('fsync', 'off', false).not.toThrow();
    wish('synchronous_commit', 'off').not.toThrow();
  });

  it('is of this server, and known', () => {
    wish('summarize_wal', 'on').toThrow(refused('came with PostgreSQL 17', 'leave summarize_wal out'));
    wish('wrok_mem', '1MB', true, true).toThrow(refused('did you mean work_mem?', 'pg_settings'));
    wish('port', '1').toThrow(refused('leases ports', 'leave port out'));
    wish('work_mem', '1MB').not.toThrow();
  });
});

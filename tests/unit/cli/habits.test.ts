import { describe, expect, it } from '@jest/globals';
import { inTodaysWords, meantAction } from '../../../lib/cli/habits.ts';

describe('meantAction', () => {
  it.each([
    ['multi-start', { name: 'start', selector: 'all' }],
    ['multi-health', { name: 'status', selector: 'all' }],
    ['doctor', { name: 'diagnose' }],
    ['create', { name: 'create' }],
  ])('%s', (word, meant) => {
    expect(meantAction(word)).toEqual(meant);
  });

  it.each([
    ['gui', 'web GUI'],
    ['network-update', 'Docker networks'],
  ])('%s answers with one clear sentence', (word, sentence) => {
    expect(() => meantAction(word)).toThrow(expect.objectContaining({ code: 'NOT_HERE', exitCode: 2 }));
    expect(() => meantAction(word)).toThrow(sentence);
  });

  it('names the nearest word', () => {
    expect(() => meantAction('multi-backups')).toThrow('did you mean multi-backup?');
  });
});

describe('inTodaysWords', () => {
  it.each([
    [
      ['destroy', 'a', '--force', 'yes'],
      ['destroy', 'a', '--yes'],
    ],
    [
      ['destroy', 'a', '--yes', 'yes'],
      ['destroy', 'a', '--yes'],
    ],
    [
      ['destroy', '-i', 'yes', '-y'],
      ['destroy', '-i', 'yes', '-y'],
    ],
    [
      ['drop-db', 'a', '--force'],
      ['drop-db', 'a', '--force'],
    ],
    [
      ['exec', 'a', '--', 'rm', '--force', 'yes'],
      ['exec', 'a', '--', 'rm', '--force', 'yes'],
    ],
  ])('%j', (given, today) => {
    expect(inTodaysWords(given)).toEqual(today);
  });
});

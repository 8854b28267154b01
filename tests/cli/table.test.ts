import { describe, expect, it } from '@jest/globals';
import type { Paint } from '../../lib/cli/table.ts';
import { renderText, wrap } from '../../lib/cli/table.ts';

const same = (text: string): string => text;
const plain: Paint = { bold: same, dim: same, red: same, green: same, yellow: same };
const marked: Paint = { ...plain, green: (text) => `<${text}>` };

const head = ['setting', 'value', 'why'];
const why = 'what is left after the connections, at most a quarter';

describe('a table', () => {
  it('is as wide as it needs to be where there is no screen', () => {
    expect(renderText({ head, rows: [['work_mem', '13MB', why]] }, plain)).toEqual([
      'setting   value  why',
      `work_mem   13MB  ${why}`,
    ]);
  });

  it('folds its last column to the screen, between words', () => {
    expect(renderText({ head, rows: [['work_mem', '13MB', why]] }, plain, 50)).toEqual([
      'setting   value  why',
      'work_mem   13MB  what is left after the',
      '                 connections, at most a quarter',
    ]);
  });

  it('of names and values is folded below the values', () => {
    expect(renderText({ fields: [['why', `${why}\nand more`]] }, plain, 40)).toEqual([
      'why  what is left after the connections,',
      '     at most a quarter',
      '     and more',
    ]);
  });

  it('has the last column below the row where it would be too narrow to read', () => {
    const rows = [
      ['work_mem', '13MB', 'what is left after all'],
      ['fsync', 'on', ''],
    ];
    expect(renderText({ head, rows }, plain, 30)).toEqual([
      'setting   value',
      'work_mem  13MB',
      '    what is left after all',
      'fsync     on',
    ]);
  });

  it('puts numbers to the right, and a column with nothing but dashes to the left', () => {
    const rows = [
      ['9', '-', '1.5 kB'],
      ['10', '-', '-'],
    ];
    expect(renderText({ head: ['port', 'verified', 'size'], rows }, plain)).toEqual([
      'port  verified    size',
      '   9  -         1.5 kB',
      '  10  -              -',
    ]);
  });

  it('measures before it colours', () => {
    const rows = [
      ['running', 'a'],
      ['stopped', 'b'],
    ];
    expect(renderText({ head: ['state', 'x'], rows }, marked)).toEqual(['state    x', '<running>  a', 'stopped  b']);
  });
});

it('wrap keeps every word, even one that is too long', () => {
  expect(wrap('a bb ccc', 4)).toEqual(['a bb', 'ccc']);
  expect(wrap('aaaaaaaa b', 4)).toEqual(['aaaaaaaa', 'b']);
  expect(wrap('', 4)).toEqual(['']);
});

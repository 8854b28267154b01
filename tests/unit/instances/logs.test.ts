import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastLogLines, markLogs, wordsSince } from '../../../lib/instances/logs.ts';
import { parseName } from '../../../lib/instances/names.ts';
import { type InstancePaths, instancePaths, placesOf } from '../../../lib/instances/places.ts';

let root: string;
let paths: InstancePaths;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pgm-logs-'));
  paths = instancePaths(placesOf(root, join(root, 'backups'), join(root, 'host')), parseName('a'));
  mkdirSync(paths.log, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

/** A log file last written on a day of November. */
function put(name: string, text: string, day: number): void {
  writeFileSync(join(paths.log, name), text);
  const seconds = Date.UTC(2026, 10, day) / 1000;
  utimesSync(join(paths.log, name), seconds, seconds);
}

describe('lastLogLines', () => {
  it('goes back through the days by when they were written, not by name', () => {
    put('postgresql-Fri.log', 'five\nsix\n', 20);
    put('postgresql-Mon.log', 'seven\n', 23);
    put('postgresql-Thu.log', 'four\n', 19);
    expect(lastLogLines(paths, 3)).toEqual(['five', 'six', 'seven']);
    expect(lastLogLines(paths, 1)).toEqual(['seven']);
    expect(lastLogLines(paths, 0)).toEqual([]);
    expect(lastLogLines(paths, 50)).toEqual(['four', 'five', 'six', 'seven']);
  });

  it('looks at server.out only where there is no newer word', () => {
    put('server.out', 'FATAL:  could not open the log\n', 20);
    expect(lastLogLines(paths, 5)).toEqual(['FATAL:  could not open the log']);
    put('postgresql-Sat.log', 'ready\n', 21);
    expect(lastLogLines(paths, 5)).toEqual(['ready']);
  });

  it('gives as many lines as asked for, also past a file that has just been begun', () => {
    put('postgresql-Fri.log', 'one\ntwo\nthree\n', 20);
    put('postgresql-Sat.log', '', 21);
    expect(lastLogLines(paths, 2)).toEqual(['two', 'three']);
  });

  it('is empty without a log, and passes over other files', () => {
    put('notes.txt', 'mine\n', 21);
    expect(lastLogLines(paths, 5)).toEqual([]);
  });
});

describe('wordsSince', () => {
  it('gives what was said since the mark, first what was said before the log was opened', () => {
    put('server.out', 'old\n', 20);
    put('postgresql-Fri.log', 'older\n', 20);
    const mark = markLogs(paths);
    appendFileSync(join(paths.log, 'postgresql-Fri.log'), 'LOG:  redo starts at 0/3000028\n');
    appendFileSync(
      paths.output,
      'LOG:  redirecting log output to logging collector process\nHINT:  Future log output will appear in directory\nearly\n',
    );
    put('postgresql-Sat.log', 'LOG:  ready\n', 28);
    expect(wordsSince(paths, mark).split('\n').filter(Boolean)).toEqual([
      'early',
      'LOG:  redo starts at 0/3000028',
      'LOG:  ready',
    ]);
  });

  it('reads a file anew that its weekly rotation has emptied', () => {
    put('postgresql-Sat.log', 'last week said a lot more than this\n', 14);
    const mark = markLogs(paths);
    put('postgresql-Sat.log', 'new\n', 21);
    expect(wordsSince(paths, mark)).toBe('new\n');
  });

  it('is empty when nothing was said', () => {
    put('server.out', 'old\n', 20);
    expect(wordsSince(paths, markLogs(paths))).toBe('');
  });
});

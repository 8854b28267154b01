import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogFollower } from '../../../lib/instances/log-follow.ts';
import { parseName } from '../../../lib/instances/names.ts';
import { instancePaths, placesOf } from '../../../lib/instances/places.ts';

let root: string;
let follower: LogFollower;
const file = (name: string): string => join(root, 'instances', 'shop', 'log', name);
const every = (): boolean => true;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pgm-follow-'));
  const paths = instancePaths(placesOf(root, join(root, 'backups'), join(root, 'host')), parseName('shop'));
  mkdirSync(paths.log, { recursive: true });
  follower = new LogFollower(paths);
});
afterEach(() => rmSync(root, { recursive: true }));

it('begins with the last lines, and goes on with those that are whole', () => {
  writeFileSync(file('postgresql-Sat.log'), 'one\ntwo\nthree\n');
  expect(follower.begin(2, every)).toEqual(['two', 'three']);
  appendFileSync(file('postgresql-Sat.log'), 'four\nfi');
  expect(follower.next()).toEqual(['four']);
  appendFileSync(file('postgresql-Sat.log'), 've: größer\n');
  expect(follower.next()).toEqual(['five: größer']);
  expect(follower.next()).toEqual([]);
});

it("follows the change of the weekday's file, and last week's file when it is begun anew", () => {
  writeFileSync(file('postgresql-Sun.log'), 'last week\nlast week, too\n');
  writeFileSync(file('postgresql-Sat.log'), 'today\n');
  expect(follower.begin(0, every)).toEqual([]);
  writeFileSync(file('postgresql-Sun.log'), 'anew\n');
  writeFileSync(file('postgresql-Mon.log'), 'never seen before\n');
  expect(follower.next().toSorted()).toEqual(['anew', 'never seen before']);
});

it('tells what the server says before it opens its log, from now on, and passes over what all servers say', () => {
  writeFileSync(file('server.out'), 'an old start\n');
  expect(follower.begin(10, every)).toEqual([]);
  appendFileSync(file('server.out'), 'LOG:  redirecting log output to logging collector process\nFATAL:  no memory\n');
  expect(follower.next()).toEqual(['FATAL:  no memory']);
});

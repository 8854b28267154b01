import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePort } from '../../../lib/ports/leases.ts';
import { parseName } from '../../../lib/instances/names.ts';
import { type InstancePaths, instancePaths, placesOf } from '../../../lib/instances/places.ts';
import type { InstanceRecord } from '../../../lib/instances/record.ts';
import { observe } from '../../../lib/instances/state.ts';
import { spawnStandIn } from '../postgres/stand-in.ts';

const [shutDown, inProduction] = [1, 6];
const name = parseName('a');
const record: InstanceRecord = {
  schema: 1,
  id: 'id-a',
  name,
  createdAt: '2026-11-21T10:00:00.000Z',
  port: parsePort(5433),
  version: 15,
  bindir: '/usr/lib/postgresql/15/bin',
  template: 'development',
  systemIdentifier: '7571',
  role: 'a',
  database: 'a',
  maxConnections: 20,
  committedBytes: 1,
  wishes: {},
};

let root: string;
let paths: InstancePaths;
let child: ChildProcess | undefined;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'pgm-state-')));
  paths = instancePaths(placesOf(root, join(root, 'backups'), join(root, 'host')), name);
});
afterEach(async () => {
  if (child !== undefined) {
    child.kill('SIGKILL');
    await once(child, 'exit');
    child = undefined;
  }
  rmSync(root, { recursive: true });
});

function putData(state: number, identifier = 7571n, version = '15'): void {
  mkdirSync(join(paths.data, 'global'), { recursive: true });
  const control = Buffer.alloc(8192);
  control.writeBigUInt64LE(identifier, 0);
  control.writeUInt32LE(state, 16);
  writeFileSync(join(paths.data, 'global', 'pg_control'), control);
  writeFileSync(join(paths.data, 'PG_VERSION'), `${version}\n`);
}

function putPidFile(pid: number, status: string): void {
  const lines = [pid, paths.data, 1, 5433, paths.socket, 'localhost', '', status];
  writeFileSync(join(paths.data, 'postmaster.pid'), `${lines.join('\n')}\n`);
}

describe('observe', () => {
  it('is broken without data, without a control file, with another system or another major', () => {
    expect(observe(paths, record)).toMatchObject({ state: 'broken', message: expect.stringContaining('missing') });
    mkdirSync(paths.data, { recursive: true });
    expect(observe(paths, record)).toMatchObject({
      state: 'broken',
      message: expect.stringContaining('no control file'),
    });
    putData(shutDown, 99n);
    expect(observe(paths, record)).toMatchObject({ state: 'broken', message: expect.stringContaining('(99)') });
    putData(shutDown, 7571n, '16');
    expect(observe(paths, record)).toMatchObject({
      state: 'broken',
      message: expect.stringContaining('PostgreSQL 16'),
    });
  });

  it('is stopped after a shutdown and crashed without one', () => {
    putData(shutDown);
    expect(observe(paths, record)).toEqual({ state: 'stopped' });
    putData(inProduction);
    expect(observe(paths, record)).toMatchObject({ state: 'crashed' });
  });

  it('is crashed when the pid file names a process that is not its postmaster', () => {
    putData(inProduction);
    putPidFile(process.pid, 'ready');
    expect(observe(paths, record)).toMatchObject({ state: 'crashed' });
  });

  it.each([
    ['ready', 'running'],
    ['stopping', 'running'],
    ['starting', 'starting'],
    ['standby', 'starting'],
    ['', 'starting'],
  ])('of a live postmaster that says %j is %s', async (status, state) => {
    putData(inProduction);
    child = await spawnStandIn(paths.data);
    putPidFile(child.pid ?? 0, status.padEnd(8));
    expect(observe(paths, record)).toMatchObject({ state, postmaster: { pid: child.pid } });
  });

  it('never calls a live server of another system running', async () => {
    putData(inProduction, 99n);
    child = await spawnStandIn(paths.data);
    putPidFile(child.pid ?? 0, 'ready');
    expect(observe(paths, record).state).toBe('broken');
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  livePostmaster,
  majorOf,
  readPostmasterFile,
  systemIdentifierOf,
  wasShutDown,
} from '../../../lib/postgres/postmaster.ts';
import { spawnStandIn } from './stand-in.ts';

let folder: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'pgm-postmaster-')));
});
afterEach(async () => {
  if (child !== undefined) {
    child.kill('SIGKILL');
    await once(child, 'exit');
    child = undefined;
  }
  rmSync(folder, { recursive: true });
});

function writePidFile(pid: number, status = 'ready   '): void {
  // As a running PostgreSQL 15 writes it.
  const lines = [pid, folder, 1795304000, 5433, '/tmp', 'localhost', '  5432001         0', status, ''];
  writeFileSync(join(folder, 'postmaster.pid'), lines.join('\n'));
}

async function standInOf(cwd: string, argv0?: string): Promise<number> {
  const standIn = await spawnStandIn(cwd, argv0);
  child = standIn;
  return standIn.pid;
}

describe('readPostmasterFile', () => {
  it('reads every line of a running server', () => {
    writePidFile(4711);
    expect(readPostmasterFile(folder)).toEqual({
      pid: 4711,
      dataDirectory: folder,
      startedAtSeconds: 1795304000,
      port: 5433,
      socketFolder: '/tmp',
      status: 'ready',
    });
  });

  it('takes the number of a single-user server without its sign', () => {
    writePidFile(-4711);
    expect(readPostmasterFile(folder)?.pid).toBe(4711);
  });

  it('reads a file that the server has only begun', () => {
    writeFileSync(join(folder, 'postmaster.pid'), `4711\n${folder}\n`);
    expect(readPostmasterFile(folder)).toMatchObject({ pid: 4711, status: '' });
  });

  it('is undefined without a file, and for an empty or damaged one', () => {
    expect(readPostmasterFile(folder)).toBeUndefined();
    for (const text of ['', '\n', 'what?\n', '0\n', '12.5\n']) {
      writeFileSync(join(folder, 'postmaster.pid'), text);
      expect(readPostmasterFile(folder)).toBeUndefined();
    }
  });
});

describe('livePostmaster', () => {
  it('is undefined when the file names a dead process', () => {
    writePidFile(spawnSync(process.execPath, ['-e', '0']).pid);
    expect(livePostmaster(folder)).toBeUndefined();
  });

  it('is undefined when the number belongs to another living process', () => {
    writePidFile(process.pid);
    expect(livePostmaster(folder)).toBeUndefined();
  });

  it('is undefined when that process stands below the data directory', async () => {
    mkdirSync(join(folder, 'base'));
    writePidFile(await standInOf(join(folder, 'base')));
    expect(livePostmaster(folder)).toBeUndefined();
  });

  it('is undefined when that process stands above the data directory', async () => {
    writePidFile(await standInOf(dirname(folder)));
    expect(livePostmaster(folder)).toBeUndefined();
  });

  it.each(['sleep', '/bin/sh', 'pg_ctl', 'postgres_exporter', '/opt/postgres/tail', 'postgres: walwriter '])(
    'is undefined when the process that stands in the data directory is called %j',
    async (argv0) => {
      writePidFile(await standInOf(folder, argv0));
      expect(livePostmaster(folder)).toBeUndefined();
    },
  );

  it.each(['postgres', 'postmaster', '/usr/lib/postgresql/15/bin/postgres'])(
    'is the process called %s that stands in the data directory, as every postmaster does',
    async (argv0) => {
      const pid = await standInOf(folder, argv0);
      writePidFile(pid);
      expect(livePostmaster(folder)).toMatchObject({ pid, status: 'ready', port: 5433 });
    },
  );
});

describe('what the data directory says of itself', () => {
  function writeControl(state: number): void {
    const bytes = Buffer.alloc(8192);
    bytes.writeBigUInt64LE(7_571_000_000_000_000_001n, 0);
    bytes.writeUInt32LE(1300, 8);
    bytes.writeUInt32LE(202209061, 12);
    bytes.writeUInt32LE(state, 16);
    mkdirSync(join(folder, 'global'), { recursive: true });
    writeFileSync(join(folder, 'global', 'pg_control'), bytes);
  }

  it('its system identifier, digit for digit', () => {
    expect(systemIdentifierOf(folder)).toBeUndefined();
    writeControl(1);
    expect(systemIdentifierOf(folder)).toBe('7571000000000000001');
    writeFileSync(join(folder, 'global', 'pg_control'), 'short');
    expect(systemIdentifierOf(folder)).toBeUndefined();
  });

  it('whether the last server on it shut down in order', () => {
    expect(wasShutDown(folder)).toBe(false);
    const answers = [0, 1, 2, 3, 4, 5, 6].map((state) => {
      writeControl(state);
      return wasShutDown(folder);
    });
    expect(answers).toEqual([false, true, true, false, false, false, false]);
  });

  it('its major version', () => {
    expect(majorOf(folder)).toBeUndefined();
    writeFileSync(join(folder, 'PG_VERSION'), '15\n');
    expect(majorOf(folder)).toBe(15);
  });
});

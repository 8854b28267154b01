import { afterEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { pidExists } from '../../../lib/host/processes.ts';
import { lastLines, stopServer } from '../../../lib/postgres/server.ts';
import { startupPhase } from '../../../lib/postgres/startup.ts';

/** Lines as PostgreSQL 15 writes them with our log_line_prefix. */
function log(...messages: string[]): string {
  return messages.map((message) => `2026-11-21 10:42:00.123 UTC [4242] ${message}\n`).join('');
}

describe('startupPhase', () => {
  it.each([
    ['', 'starting'],
    ['LOG:  starting PostgreSQL 15.14 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit', 'starting'],
    ['LOG:  listening on IPv4 address "127.0.0.1", port 5433', 'starting'],
    ['LOG:  database system was shut down at 2026-11-21 10:41:00 UTC', 'starting'],
    ['LOG:  database system was interrupted; last known up at 2026-11-21 10:40:00 UTC', 'recovering after a crash'],
    ['LOG:  database system was not properly shut down; automatic recovery in progress', 'recovering after a crash'],
    ['LOG:  starting point-in-time recovery to 2026-11-21 10:30:00+00', 'recovery begins'],
    ['LOG:  starting archive recovery', 'recovery begins'],
    [
      'LOG:  restored log file "00000001000000000000001B" from archive',
      'replaying 00000001000000000000001B from the archive',
    ],
    ['LOG:  redo starts at 0/1B000028', 'redo from 0/1B000028'],
    ['LOG:  redo in progress, elapsed time: 10.00 s, current LSN: 0/2A5E5E8', 'redo at 0/2A5E5E8'],
    [
      'LOG:  syncing data directory (fsync), elapsed time: 10.00 s, current path: ./base/5/16384',
      'syncing files (./base/5/16384)',
    ],
    ['LOG:  consistent recovery state reached at 0/1B000138', 'consistent at 0/1B000138'],
    [
      'LOG:  recovery stopping before commit of transaction 742, time 2026-11-21 10:30:00.5+00',
      'recovery target reached',
    ],
    ['LOG:  recovery has paused', 'recovery target reached'],
    ['LOG:  selected new timeline ID: 2', 'recovery target reached'],
  ])('of %j is %j', (line, phase) => expect(startupPhase(log(line))).toBe(phase));

  it('goes by the last line that tells, past those that do not', () => {
    const words = log(
      'LOG:  starting archive recovery',
      'LOG:  restored log file "00000001000000000000001B" from archive',
      'LOG:  redo starts at 0/1B000028',
      'LOG:  restored log file "00000001000000000000001C" from archive',
      'LOG:  restored log file "00000002.history" from archive',
      'postgres@postgres FATAL:  the database system is starting up',
    );
    expect(startupPhase(words)).toBe('replaying 00000001000000000000001C from the archive');
  });
});

describe('lastLines', () => {
  it('keeps the end, without the empty line after it', () => {
    const text = Array.from({ length: 20 }, (_, index) => `line ${index + 1}\n`).join('');
    expect(lastLines(text, 2)).toBe('line 19\nline 20');
    expect(lastLines(text).split('\n')).toHaveLength(15);
    expect(lastLines('one\n')).toBe('one');
  });
});

describe('stopServer', () => {
  let child: ChildProcess | undefined;
  afterEach(async () => {
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    child = undefined;
  });

  /** A process that meets SIGINT as `onInterrupt` says. */
  async function processThat(onInterrupt: string): Promise<number> {
    const code = `process.on('SIGINT', () => { ${onInterrupt} }); setInterval(() => {}, 1000); console.log('up');`;
    child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout as NonNullable<typeof child.stdout>, 'data');
    return child.pid ?? 0;
  }
  const { signal } = new AbortController();

  it('waits until the process is gone', async () => {
    const pid = await processThat('setTimeout(() => process.exit(0), 150)');
    await stopServer(pid, 'fast', 10_000, signal);
    expect(pidExists(pid)).toBe(false);
  });

  it('gives up when time is up, and kills nothing', async () => {
    const pid = await processThat('');
    await expect(stopServer(pid, 'fast', 200, signal)).rejects.toMatchObject({ code: 'STOP_TIMEOUT' });
    expect(pidExists(pid)).toBe(true);
  });
});

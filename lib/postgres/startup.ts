import { join } from 'node:path';
import { listFolder } from '../host/files.ts';
import { childrenOf } from '../host/processes.ts';
import { defaultSegmentBytes, parseSegmentName } from './wal.ts';

/** What the server is doing, by the last of its own words that tells (messages of PostgreSQL's xlogrecovery.c and startup.c). */
export function startupPhase(words: string): string {
  const phases: [RegExp, (match: RegExpExecArray) => string][] = [
    [/redo in progress.*current LSN: (\S+?),?$/, (match) => `redo at ${match[1]}`],
    [/syncing data directory.*current path: (\S+)/, (match) => `syncing files (${match[1]})`],
    [/redo starts at (\S+)/, (match) => `redo from ${match[1]}`],
    [/restored log file "(\w+)"/, (match) => `replaying ${match[1]} from the archive`],
    [/consistent recovery state reached at (\S+)/, (match) => `consistent at ${match[1]}`],
    [/recovery stopping|recovery has paused|selected new timeline/, () => 'recovery target reached'],
    [/database system was (?:interrupted|not properly shut down)/, () => 'recovering after a crash'],
    [/starting (?:point-in-time|backup|archive) recovery/, () => 'recovery begins'],
  ];
  for (const line of words.trimEnd().split('\n').reverse()) {
    for (const [pattern, tell] of phases) {
      const match = pattern.exec(line);
      if (match) return tell(match);
    }
  }
  return 'starting';
}

/**
 * What a starting server is doing now: by the title of its recovery process, which names the WAL segment it replays or waits
 * for (PostgreSQL's xlogrecovery.c), else by its own words. It changes as long as the server gets on.
 */
export function startupProgress(pid: number, dataDirectory: string, words: string): string {
  const phase = startupPhase(words);
  const title = childrenOf(pid).find((child) => /\bstartup\b/.test(child.title))?.title;
  const match = /startup (recovering|waiting for) ([0-9A-F]{24})/.exec(title ?? '');
  if (match === null) return phase;
  const [, doing, name = ''] = match;
  if (doing === 'waiting for') return `waiting for WAL ${name}`;
  const newest = newestSegment(dataDirectory);
  const ending = newest === undefined || newest <= name ? '' : ` of ${position(newest)}`;
  return /^(starting|recovering|redo|recovery)/.test(phase) ? `redo at ${position(name)}${ending}` : phase;
}

/** How much WAL a crash has left to replay at the most, in bytes: the segments that are there. */
export function walBytes(dataDirectory: string): number {
  return segments(dataDirectory).length * defaultSegmentBytes;
}

function segments(dataDirectory: string): string[] {
  return listFolder(join(dataDirectory, 'pg_wal')).filter((name) => /^[0-9A-F]{24}$/.test(name));
}

function newestSegment(dataDirectory: string): string | undefined {
  return segments(dataDirectory).at(-1);
}

/** Where a segment begins, as an LSN. */
function position(name: string): string {
  const bytes = (parseSegmentName(name, defaultSegmentBytes)?.number ?? 0n) * BigInt(defaultSegmentBytes);
  return `${(bytes >> 32n).toString(16)}/${(bytes & 0xffffffffn).toString(16)}`.toUpperCase();
}

/**
 * Watches whether something still gets on: `stillForMs` is how long it has looked the same.
 * @param now milliseconds of a clock that never jumps
 */
export class Stillness {
  private last: string | undefined;
  private since = 0;

  stillForMs(look: string, now: number): number {
    if (look !== this.last) [this.last, this.since] = [look, now];
    return now - this.since;
  }
}

/** How long a starting server may stand still before waiting for it ends, in milliseconds. */
export function patienceMs(template: string, replayBytes: number): number {
  const base = template === 'testing' ? 60_000 : 300_000;
  // One record may take long where there is much to do: a minute more for every gigabyte of WAL.
  return base + (replayBytes / 1024 ** 3) * 60_000;
}

import { join } from 'node:path';
import { fileSize, listFolder, modifiedMs, readText, readTextFrom } from '../host/files.ts';
import type { InstancePaths } from './places.ts';

/** How long each log file was at one moment. */
export type LogMark = Map<string, number>;

/** What every server says when its log is opened. */
export const serverNoise = /logging collector process|Future log output will appear/;

/** The weekdays' files and what the server says before it opens them, the one written last at the end. */
export function logFiles(paths: InstancePaths): string[] {
  return listFolder(paths.log)
    .filter((name) => name === 'server.out' || /^postgresql-.*\.log$/.test(name))
    .map((name) => join(paths.log, name))
    .sort((a, b) => (modifiedMs(a) ?? 0) - (modifiedMs(b) ?? 0));
}

export function markLogs(paths: InstancePaths): LogMark {
  return new Map(logFiles(paths).map((file) => [file, fileSize(file) ?? 0]));
}

/** What the server has said since the mark: first what it says before it opens its log, then the log. */
export function wordsSince(paths: InstancePaths, mark: LogMark): string {
  const files = logFiles(paths).sort((a, b) => Number(b === paths.output) - Number(a === paths.output));
  return files
    .map((file) => {
      const before = mark.get(file) ?? 0;
      // A file that has become shorter was begun anew by its weekly rotation.
      return readTextFrom(file, (fileSize(file) ?? 0) < before ? 0 : before);
    })
    .join('')
    .split('\n')
    .filter((line) => !serverNoise.test(line))
    .join('\n');
}

/**
 * The last `count` lines of the instance's log, oldest first.
 * @param keepOf makes, for each file, what says of its lines one after the other whether they count
 */
export function lastLogLines(
  paths: InstancePaths,
  count: number,
  keepOf: () => (line: string) => boolean = () => () => true,
): string[] {
  const lines: string[] = [];
  if (count <= 0) return lines;
  for (const file of logFiles(paths).reverse()) {
    if (file === paths.output && lines.length > 0) continue;
    const keep = keepOf();
    const said = (readText(file) ?? '').split('\n').filter((line) => line !== '' && keep(line));
    lines.unshift(...said.slice(-count));
    if (lines.length >= count) break;
  }
  return lines.slice(-count);
}

import { fileSize, readBytes } from '../host/files.ts';
import { logFiles, serverNoise } from './logs.ts';
import type { InstancePaths } from './places.ts';

/** How much of each file is read back to begin with, in bytes. */
const lookBackBytes = 256 * 1024;

/** Reads on in an instance's log: through the change of the weekday's file, and when last week's file is begun anew. */
export class LogFollower {
  private readonly paths: InstancePaths;
  /** How far each file is read: to the end of a line. */
  private readonly read = new Map<string, number>();

  constructor(paths: InstancePaths) {
    this.paths = paths;
  }

  /** The newest lines there are, to begin with; all that come after them are given by `next`. */
  begin(count: number, keep: (line: string) => boolean): string[] {
    for (const file of logFiles(this.paths)) {
      const size = fileSize(file) ?? 0;
      // What the server said before it opened its log is old, and is told by `logs` without --follow.
      this.read.set(file, file === this.paths.output ? size : Math.max(0, size - lookBackBytes));
    }
    const lines = this.next().filter(keep);
    return count <= 0 ? [] : lines.slice(-count);
  }

  /** The lines that have become whole since the last time, oldest first. */
  next(): string[] {
    return logFiles(this.paths)
      .flatMap((file) => this.linesOf(file))
      .filter((line) => line !== '' && !serverNoise.test(line));
  }

  private linesOf(file: string): string[] {
    const before = this.read.get(file) ?? 0;
    const size = fileSize(file) ?? 0;
    const offset = size < before ? 0 : before;
    if (size === offset) return [];
    const bytes = readBytes(file, offset, size - offset) ?? Buffer.alloc(0);
    const end = bytes.lastIndexOf('\n') + 1;
    this.read.set(file, offset + end);
    return bytes.subarray(0, end).toString('utf8').split('\n');
  }
}

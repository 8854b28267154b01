import { afterEach, beforeEach } from '@jest/globals';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An empty folder for each test of a file, removed after it. */
export function eachInAFolder(): { at: (name?: string) => string; modeOf: (name: string) => number } {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pgm-host-files-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const at = (name = ''): string => join(folder, name);
  return { at, modeOf: (name) => statSync(at(name)).mode & 0o7777 };
}

/** Runs a step as a caller whose files nobody else may read by default. */
export function withPrivateUmask<T>(step: () => T): T {
  const before = process.umask(0o077);
  try {
    return step();
  } finally {
    process.umask(before);
  }
}

import { join } from 'node:path';
import { readText } from '../host/files.ts';
import { writeFileForGood } from '../host/for-good.ts';
import type { InstancePaths } from './places.ts';

/** A line of pg_hba.conf by which something of ours comes in, and the comment above it. */
export interface AccessRule {
  comment: string;
  line: string;
}

/** Puts a rule in front of all others, as the first that fits decides; says whether it was not there. The rest of the file is its operator's. */
export function addRule({ data }: InstancePaths, { comment, line }: AccessRule): boolean {
  const file = join(data, 'pg_hba.conf');
  const text = readText(file) ?? '';
  if (text.split('\n').includes(line)) return false;
  writeFileForGood(file, `${comment}\n${line}\n${text}`);
  return true;
}

export function removeRule({ data }: InstancePaths, { comment, line }: AccessRule): void {
  const file = join(data, 'pg_hba.conf');
  const lines = (readText(file) ?? '').split('\n');
  const kept = lines.filter((one) => one !== line && one !== comment);
  if (kept.length < lines.length) writeFileForGood(file, kept.join('\n'));
}

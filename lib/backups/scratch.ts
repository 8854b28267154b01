import { join } from 'node:path';
import type { Operation } from '../operation.ts';

/** Where one operation may build something: beside the instances, on the same file system as they are, unless told otherwise. */
export function scratchFolder(
  { places, journal }: Pick<Operation, 'places' | 'journal'>,
  purpose: string,
  folder = places.scratch,
): string {
  return join(folder, `${purpose}-${journal.id.slice(0, 8)}`);
}

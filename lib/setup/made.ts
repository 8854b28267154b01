import { join } from 'node:path';
import * as z from 'zod';
import { readJson } from '../host/files.ts';
import { writeJson } from '../host/for-good.ts';
import type { Places } from '../instances/places.ts';

const madeSchema = z.object({
  schema: z.literal(1),
  /** The account that servers run as, where there was none. */
  account: z.string().optional(),
  /** Packages that were not there before. */
  packages: z.array(z.string()),
  /** Files of the system's. */
  files: z.array(z.string()),
});

/** What `install` has made on this machine, so that `uninstall` takes away that and nothing else. */
export type Made = z.infer<typeof madeSchema>;

export function readMade(places: Places): Made {
  return readJson(fileOf(places), madeSchema) ?? { schema: 1, packages: [], files: [] };
}

/** Adds to it: before the thing is made, so that nothing is made that nobody knows of. */
export function noteMade(places: Places, more: Partial<Omit<Made, 'schema'>>): void {
  const before = readMade(places);
  const union = (a: string[], b: string[] = []): string[] => [...new Set([...a, ...b])];
  const account = more.account ?? before.account;
  const after: Made = {
    schema: 1,
    ...(account === undefined ? {} : { account }),
    packages: union(before.packages, more.packages),
    files: union(before.files, more.files),
  };
  if (JSON.stringify(after) !== JSON.stringify(before)) writeJson(fileOf(places), after);
}

function fileOf({ root }: Places): string {
  return join(root, '.pg-manage', 'installed.json');
}

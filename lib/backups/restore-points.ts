import { join } from 'node:path';
import * as z from 'zod';
import { readText } from '../host/files.ts';
import { appendLine } from '../host/for-good.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { type Lsn, parseLsn } from '../postgres/lsn.ts';

const pointSchema = z.object({
  name: z.string(),
  lsn: z.string().transform((text): Lsn => parseLsn(text)),
  at: z.string(),
  instanceId: z.string(),
});

/** A named position in an instance's WAL. The server writes it there, and we keep where that was. */
export type RestorePoint = z.output<typeof pointSchema>;

function fileOf({ repository }: Places, name: InstanceName): string {
  return join(repository, name, 'restore-points.jsonl');
}

export function addRestorePoint(places: Places, name: InstanceName, point: RestorePoint): void {
  appendLine(fileOf(places, name), JSON.stringify(point));
}

/** Those of one instance, oldest first; a line cut short by a power loss is passed over. */
export function restorePoints(places: Places, name: InstanceName, instanceId: string): RestorePoint[] {
  const lines = readText(fileOf(places, name))?.split('\n') ?? [];
  const points = lines.flatMap((line) => {
    try {
      return [pointSchema.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
  return points.filter((point) => point.instanceId === instanceId);
}

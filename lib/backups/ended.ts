import { join } from 'node:path';
import * as z from 'zod';
import { nowIso } from '../host/clock.ts';
import { exists, readJson } from '../host/files.ts';
import { writeJson } from '../host/for-good.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { otherMachine, unmarkMachine } from './machine-mark.ts';

const endedSchema = z.object({ schema: z.literal(1), instanceId: z.string(), at: z.string() });

/** That an instance was taken away on purpose: what the repository holds of others without a folder was lost. */
export type Ended = z.output<typeof endedSchema>;

function fileOf({ repository }: Places, name: InstanceName): string {
  return join(repository, name, 'ended.json');
}

/** Keeps in the repository that an instance is gone because somebody wanted it so. */
export function markEnded(places: Places, name: InstanceName, instanceId: string): void {
  // What another machine has taken over goes on there.
  if (!exists(join(places.repository, name)) || otherMachine(places, name) !== undefined) return;
  writeJson(fileOf(places, name), { schema: 1, instanceId, at: nowIso() });
  unmarkMachine(places, name);
}

export function readEnded(places: Places, name: InstanceName): Ended | undefined {
  return readJson(fileOf(places, name), endedSchema);
}

import { join } from 'node:path';
import * as z from 'zod';
import { nowIso } from '../host/clock.ts';
import { readJson } from '../host/files.ts';
import { removeFile } from '../host/folders.ts';
import { syncFolder, writeJson } from '../host/for-good.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';

const alarmSchema = z.object({
  schema: z.literal(1),
  raisedAt: z.string(),
  /** What was found damaged and when it was last seen, each once; the one seen last stands last. */
  damage: z.array(z.object({ at: z.string(), where: z.string(), what: z.string() })),
});

/**
 * Damage that was found in an instance's live data or in a backup of it. It lasts until an operator has it cleared, so that
 * a nightly backup that happens to succeed does not make it forgotten; and while it lasts, retention removes nothing.
 */
export type Alarm = z.output<typeof alarmSchema>;

function fileOf({ repository }: Places, name: InstanceName): string {
  return join(repository, name, 'alarm.json');
}

export function readAlarm(places: Places, name: InstanceName): Alarm | undefined {
  return readJson(fileOf(places, name), alarmSchema);
}

/** @param what names the relation or the file */
export function raiseAlarm(places: Places, name: InstanceName, where: string, what: string): void {
  const at = nowIso();
  const { raisedAt, damage } = readAlarm(places, name) ?? { raisedAt: at, damage: [] };
  // Seen again, it counts from now: a backup that was verified in between has not mended it.
  const others = damage.filter((one) => one.where !== where || one.what !== what);
  writeJson(fileOf(places, name), { schema: 1, raisedAt, damage: [...others, { at, where, what }] });
}

export function clearAlarm(places: Places, name: InstanceName): void {
  removeFile(fileOf(places, name));
  syncFolder(join(places.repository, name));
}

/** One line: what was found first, and how much more. */
export function describeAlarm({ damage }: Alarm): string {
  const [first] = damage;
  const more = damage.length > 1 ? `, and ${damage.length - 1} more` : '';
  return `damage in ${first?.where}: ${first?.what}${more}`;
}

import { type Dump, dumpFields, findDump } from '../backups/dumps/catalogue.ts';
import { takeDump, type TakeDumpOptions } from '../backups/dumps/take.ts';
import { assertDumpProven, verifyDump } from '../backups/dumps/verify.ts';
import { AppError } from '../errors.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { humanBytes } from '../tuning/sizes.ts';
import type { Context, Outcome } from './action.ts';
import { hadFinished, installationOf } from './shared.ts';

/** Takes a logical dump, and proves it unless told not to: what `backup` does with another type than full. */
export async function backupDump(context: Context, record: InstanceRecord, options: TakeDumpOptions): Promise<Outcome> {
  const { id, type, verify } = options;
  const installation = await installationOf(context, record);
  // Killed after it was taken and before it was proven: only the proof is left to do.
  const earlier = hadFinished(context, 'backup') ? findDump(context.places, record.name, id) : undefined;
  const taken = earlier ?? (await takeDump(context, installation, record, options));
  const judged = verify ? await verifyDump(context, installation, taken) : taken;
  if (verify) assertDumpProven(judged);
  const names = judged.databases.map(({ name }) => name).join(', ');
  const line = `${record.name}: ${type} ${id} of ${names} is ${judged.state} (${humanBytes(judged.sizeBytes)}, ${dumpMeasured(judged)})`;
  return { data: dumpFields(judged), text: [{ line }] };
}

/** How long the test restore of a dump took, in words. */
export function dumpMeasured({ verification }: Dump): string {
  const seconds = verification?.restoreSeconds ?? null;
  return seconds === null ? 'not proven yet' : `restored in ${seconds.toFixed(1)} s`;
}

/** @throws USAGE for an option that means nothing to what was chosen */
export function refuseOptions(given: Record<string, unknown>, names: readonly string[], why: string): void {
  const [wrong] = names.filter((name) => given[name] !== undefined);
  if (wrong === undefined) return;
  throw new AppError('USAGE', `--${wrong} ${why}`, { hint: 'leave it out' });
}

import { join } from 'node:path';
import { ensureFolder, removeFolder } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { dataOwner } from '../host/users.ts';
import type { Places } from '../instances/places.ts';
import { type BlockOwner, crontabBlock, jobLines } from './crontab.ts';
import type { Job } from './plan.ts';
import {
  changeBlock,
  enableUnits,
  idOf,
  readBlock,
  removeUnits,
  type Scheduler,
  unitsThere,
  writeUnits,
} from './system.ts';
import { planUnits, type Unit, unitName } from './units.ts';

/** Holds the scripts of the jobs, and when they were begun. */
export function scheduleFolder({ root }: Places): string {
  return join(root, '.pg-manage', 'schedule');
}

/** What there will be: the lines of a crontab, or units. */
export interface Planned {
  crontab: string[];
  units: Unit[];
}

export function planScheduler(
  scheduler: Scheduler,
  jobs: readonly Job[],
  { root }: Places,
  templates: { service: string; timer: string },
): Planned {
  if (scheduler === 'cron') return { crontab: crontabBlock(ownerOf(root), jobLines(jobs)), units: [] };
  return { crontab: [], units: planUnits(jobs, { id: idOf(root), root, user: dataOwner().name }, templates) };
}

/** Replaces what this root has scheduled before, and keeps a note of what was wished. Jobs run as the data's owner, so that root never runs what that may edit. */
export async function install(
  places: Places,
  { jobs, planned, note }: { jobs: readonly Job[]; planned: Planned; note: { name: string; text: string } },
  signal: AbortSignal,
): Promise<void> {
  const folder = scheduleFolder(places);
  ensureFolder(folder);
  writeFileForGood(join(folder, note.name), note.text, 0o600);
  for (const { name, file, text } of jobs) {
    writeFileForGood(file, text, 0o700);
    // As if it had run now: the first time is the first one due, and nothing is missed before.
    writeFileForGood(join(folder, `${name}.begun`), '');
  }
  await removeUnits(unitNames(places), 'end', signal);
  await changeBlock(ownerOf(places.root), planned.crontab, signal);
  await writeUnits(planned.units, signal);
  const timers = planned.units.map(({ name }) => name).filter((name) => name.endsWith('.timer'));
  await enableUnits(timers, signal);
}

/** Takes everything away again. */
export async function uninstall(places: Places, signal: AbortSignal): Promise<void> {
  await removeUnits(unitNames(places), 'end', signal);
  await changeBlock(ownerOf(places.root), [], signal);
  await removeFolder(scheduleFolder(places));
}

/** What is scheduled for this root now: the lines of the crontab, and units. */
export async function installedJobs(places: Places, signal: AbortSignal): Promise<Planned> {
  const crontab = await readBlock(ownerOf(places.root), signal);
  return { crontab, units: unitsThere(unitNames(places)) };
}

function ownerOf(root: string): BlockOwner {
  return { root, action: 'schedule' };
}

function unitNames({ root }: Places): string[] {
  return (['backup', 'prove'] as const).flatMap((job) =>
    (['service', 'timer'] as const).map((kind) => unitName(idOf(root), job, kind)),
  );
}

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { removeSystemFile, writeSystemFile } from '../host/callers-files.ts';
import { isFolder } from '../host/files.ts';
import { ensureFolder, removeFolder } from '../host/folders.ts';
import { readSystemFile } from '../host/inspect.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { findProgram, run } from '../host/programs.ts';
import { calledByRoot, dataOwner } from '../host/users.ts';
import type { Places } from '../instances/places.ts';
import { crontabBlock, findBlock, withBlock } from './crontab.ts';
import type { Job } from './plan.ts';
import { planUnits, type Unit, unitName } from './units.ts';

/** Who calls the jobs. */
export const schedulers = ['systemd', 'cron'] as const;
export type Scheduler = (typeof schedulers)[number];

const limitMs = 30_000;
const unitFolder = '/etc/systemd/system';

/** Holds the scripts of the jobs, and when they were begun. */
export function scheduleFolder({ root }: Places): string {
  return join(root, '.pg-manage', 'schedule');
}

/** systemd where it runs this machine and root asks; else cron. @throws NO_SCHEDULER */
export function chooseScheduler(wanted: Scheduler | undefined): Scheduler {
  const systemd = calledByRoot() && isFolder('/run/systemd/system') && findProgram('systemctl') !== undefined;
  const cron = findProgram('crontab') !== undefined;
  if (wanted === 'systemd' ? systemd : wanted === 'cron' ? cron : systemd || cron) {
    return wanted ?? (systemd ? 'systemd' : 'cron');
  }
  throw new AppError(
    'NO_SCHEDULER',
    `there is ${wanted === undefined ? 'neither systemd nor cron' : `no ${wanted}`} here to call anything regularly`,
    {
      hint:
        wanted === 'systemd'
          ? 'systemd needs root, and to run this machine: try --with cron'
          : 'install one: apt-get install cron',
    },
  );
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
  if (scheduler === 'cron') return { crontab: crontabBlock(jobs, root), units: [] };
  return { crontab: [], units: planUnits(jobs, { id: idOf(root), root, user: dataOwner().name }, templates) };
}

/** Replaces what this root has scheduled before. Jobs run as the data's owner, so that root never runs what that may edit. */
export async function install(
  places: Places,
  jobs: readonly Job[],
  planned: Planned,
  signal: AbortSignal,
): Promise<void> {
  const folder = scheduleFolder(places);
  ensureFolder(folder);
  for (const { name, file, text } of jobs) {
    writeFileForGood(file, text, 0o700);
    // As if it had run now: the first time is the first one due, and nothing is missed before.
    writeFileForGood(join(folder, `${name}.begun`), '');
  }
  await removeUnits(places, signal);
  if (planned.crontab.length > 0 || findProgram('crontab') !== undefined) {
    await changeCrontab(places.root, planned.crontab, signal);
  }
  for (const { name, text } of planned.units) writeSystemFile(join(unitFolder, name), text);
  const timers = planned.units.map(({ name }) => name).filter((name) => name.endsWith('.timer'));
  if (timers.length === 0) return;
  await systemctl(['daemon-reload'], signal);
  await systemctl(['enable', '--now', ...timers], signal);
}

/** Takes everything away again. */
export async function uninstall(places: Places, signal: AbortSignal): Promise<void> {
  await removeUnits(places, signal);
  if (findProgram('crontab') !== undefined) await changeCrontab(places.root, [], signal);
  await removeFolder(scheduleFolder(places));
}

/** What is scheduled for this root now: the lines of the crontab, and the names of units. */
export async function installed(places: Places, signal: AbortSignal): Promise<{ crontab: string[]; units: string[] }> {
  const crontab = findProgram('crontab') === undefined ? '' : await readCrontab(signal);
  return { crontab: findBlock(crontab, places.root), units: unitsOf(places) };
}

function unitsOf({ root }: Places): string[] {
  const names = (['backup', 'prove'] as const).flatMap((job) =>
    (['service', 'timer'] as const).map((kind) => unitName(idOf(root), job, kind)),
  );
  return names.filter((name) => readSystemFile(join(unitFolder, name)) !== undefined);
}

async function removeUnits(places: Places, signal: AbortSignal): Promise<void> {
  const units = unitsOf(places);
  if (units.length === 0) return;
  await systemctl(['disable', '--now', ...units.filter((name) => name.endsWith('.timer'))], signal);
  for (const name of units) removeSystemFile(join(unitFolder, name));
  await systemctl(['daemon-reload'], signal);
}

async function systemctl(args: string[], signal: AbortSignal): Promise<void> {
  await run('systemctl', args, { signal, timeoutMs: limitMs, asCaller: true });
}

async function readCrontab(signal: AbortSignal): Promise<string> {
  try {
    return (await run('crontab', ['-l'], { signal, timeoutMs: limitMs })).stdout;
  } catch (error) {
    if (error instanceof AppError && /no crontab for/.test(error.output ?? '')) return '';
    throw error;
  }
}

async function changeCrontab(root: string, block: readonly string[], signal: AbortSignal): Promise<void> {
  const before = await readCrontab(signal);
  const text = withBlock(before.endsWith('\n') || before === '' ? before : `${before}\n`, root, block);
  if (text !== before) await run('crontab', ['-'], { signal, timeoutMs: limitMs, input: text });
}

function idOf(root: string): string {
  return createHash('sha256').update(root).digest('hex').slice(0, 8);
}

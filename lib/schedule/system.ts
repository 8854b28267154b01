import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { removeSystemFile, writeSystemFile } from '../host/callers-files.ts';
import { isFolder } from '../host/files.ts';
import { readSystemFile } from '../host/inspect.ts';
import { findProgram, run } from '../host/programs.ts';
import { calledByRoot } from '../host/users.ts';
import { type BlockOwner, findBlock, withBlock } from './crontab.ts';
import type { Unit } from './units.ts';

/** Who calls us when it is time, or when the machine has come up. */
export const schedulers = ['systemd', 'cron'] as const;
export type Scheduler = (typeof schedulers)[number];

const limitMs = 30_000;
const unitFolder = '/etc/systemd/system';

/** systemd where it runs this machine and root asks; else cron. @throws NO_SCHEDULER */
export function chooseScheduler(wanted: Scheduler | undefined): Scheduler {
  const systemd = calledByRoot() && isFolder('/run/systemd/system') && findProgram('systemctl') !== undefined;
  const cron = findProgram('crontab') !== undefined;
  if (wanted === 'systemd' ? systemd : wanted === 'cron' ? cron : systemd || cron) {
    return wanted ?? (systemd ? 'systemd' : 'cron');
  }
  throw new AppError(
    'NO_SCHEDULER',
    `there is ${wanted === undefined ? 'neither systemd nor cron' : `no ${wanted}`} here to call anything`,
    {
      hint:
        wanted === 'systemd'
          ? 'systemd needs root, and to run this machine: try --with cron'
          : 'install one: apt-get install cron',
    },
  );
}

/** Tells the roots of one host apart, in the names of units. */
export function idOf(root: string): string {
  return createHash('sha256').update(root).digest('hex').slice(0, 8);
}

/** Those of the units that are there. */
export function unitsThere(names: readonly string[]): Unit[] {
  return names.flatMap((name) => {
    const text = readSystemFile(join(unitFolder, name));
    return text === undefined ? [] : [{ name, text }];
  });
}

/** Writes units, and lets systemd read them. */
export async function writeUnits(units: readonly Unit[], signal: AbortSignal): Promise<void> {
  if (units.length === 0) return;
  for (const { name, text } of units) writeSystemFile(join(unitFolder, name), text);
  await systemctl(['daemon-reload'], signal);
}

/** Takes units away. @param running whether what they have started is ended, too */
export async function removeUnits(
  names: readonly string[],
  running: 'end' | 'leave',
  signal: AbortSignal,
): Promise<void> {
  const units = unitsThere(names).map(({ name }) => name);
  if (units.length === 0) return;
  const enabled = units.filter((name) => running === 'leave' || name.endsWith('.timer'));
  await systemctl(['disable', ...(running === 'end' ? ['--now'] : []), ...enabled], signal);
  for (const name of units) removeSystemFile(join(unitFolder, name));
  await systemctl(['daemon-reload'], signal);
}

/** Has units called from now on, and now. */
export async function enableUnits(names: readonly string[], signal: AbortSignal): Promise<void> {
  if (names.length > 0) await systemctl(['enable', '--now', ...names], signal, 600_000);
}

async function systemctl(args: string[], signal: AbortSignal, timeoutMs = limitMs): Promise<void> {
  await run('systemctl', args, { signal, timeoutMs, asCaller: true });
}

/** The lines of an owner in the crontab of the account that owns the data; none where there is no cron. */
export async function readBlock(owner: BlockOwner, signal: AbortSignal): Promise<string[]> {
  return findProgram('crontab') === undefined ? [] : findBlock(await readCrontab(signal), owner);
}

/** Replaces them; takes them away where there are none, which asks for no cron. */
export async function changeBlock(owner: BlockOwner, block: readonly string[], signal: AbortSignal): Promise<void> {
  if (block.length === 0 && findProgram('crontab') === undefined) return;
  const before = await readCrontab(signal);
  const text = withBlock(before.endsWith('\n') || before === '' ? before : `${before}\n`, owner, block);
  if (text !== before) await run('crontab', ['-'], { signal, timeoutMs: limitMs, input: text });
}

async function readCrontab(signal: AbortSignal): Promise<string> {
  try {
    return (await run('crontab', ['-l'], { signal, timeoutMs: limitMs })).stdout;
  } catch (error) {
    // Who may have none (cron.deny) has none; writing one then fails in cron's own words.
    if (error instanceof AppError && /no crontab for|not allowed to use/.test(error.output ?? '')) return '';
    throw error;
  }
}

import { join } from 'node:path';
import { ensureFolder, removeFolder } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { dataOwner } from '../host/users.ts';
import type { Places } from '../instances/places.ts';
import { type BlockOwner, crontabBlock, cronWord } from './crontab.ts';
import { fill, shellWord, type Surroundings } from './plan.ts';
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
import { argument, escape, quote, type Unit, unitName } from './units.ts';

/** What brings the instances of a root back with the machine: a script, and who calls it. */
export interface Autostart {
  script: { file: string; text: string };
  crontab: string[];
  units: Unit[];
}

/** Holds the script. */
export function autostartFolder({ root }: Places): string {
  return join(root, '.pg-manage', 'autostart');
}

/** So many are started or stopped at once: recovery after a crash reads the disk more than it computes. */
const jobs = 4;

/** Pure but for the account's name: the script from templates/autostart.sh, and a line of a crontab or autostart.service. */
export function planAutostart(
  scheduler: Scheduler,
  places: Places,
  around: Surroundings,
  templates: { script: string; service: string },
): Autostart {
  const { root, repository } = places;
  const [node = '', launcher = ''] = around.command;
  const call = (action: string, way: string): string =>
    [
      ...around.command,
      '--action',
      action,
      '--instance',
      'all',
      way,
      '--jobs',
      String(jobs),
      '--quiet',
      '--lock-timeout',
      '600',
      ...around.options,
    ]
      .map(shellWord)
      .join(' ');
  const exports = Object.entries(around.environment).map(([key, value]) => `export ${key}=${shellWord(value)}`);
  const text = fill(templates.script, {
    EXPORTS: exports.join('\n'),
    NODE: shellWord(node),
    LAUNCHER: shellWord(launcher),
    INSTANCES: shellWord(places.instances),
    START: call('start', '--as-before'),
    STOP: call('stop', '--for-now'),
  });
  const script = { file: join(around.folder, 'with-machine'), text };
  if (scheduler === 'cron') {
    return { script, crontab: crontabBlock(ownerOf(root), [`@reboot ${cronWord(script.file)} start`]), units: [] };
  }
  const unit = fill(templates.service, {
    ROOT: escape(root),
    FOLDERS: [root, repository].map(quote).join(' '),
    USER: dataOwner().name,
    SCRIPT: argument(script.file),
  });
  return { script, crontab: [], units: [{ name: serviceName(root), text: unit }] };
}

/** Replaces what was there. The unit is begun now: only what has begun is ended in order when the machine goes down. */
export async function installAutostart(places: Places, planned: Autostart, signal: AbortSignal): Promise<void> {
  ensureFolder(autostartFolder(places));
  writeFileForGood(planned.script.file, planned.script.text, 0o700);
  if (planned.units.length === 0) await removeUnits([serviceName(places.root)], 'leave', signal);
  await changeBlock(ownerOf(places.root), planned.crontab, signal);
  await writeUnits(planned.units, signal);
  await enableUnits(
    planned.units.map(({ name }) => name),
    signal,
  );
}

/** Takes it away again; what runs, runs on. */
export async function removeAutostart(places: Places, signal: AbortSignal): Promise<void> {
  await removeUnits([serviceName(places.root)], 'leave', signal);
  await changeBlock(ownerOf(places.root), [], signal);
  await removeFolder(autostartFolder(places));
}

/** What is installed for this root now: the lines of the crontab, and the names of units. */
export async function autostartInstalled(
  { root }: Places,
  signal: AbortSignal,
): Promise<{ crontab: string[]; units: string[] }> {
  return {
    crontab: await readBlock(ownerOf(root), signal),
    units: unitsThere([serviceName(root)]).map(({ name }) => name),
  };
}

function ownerOf(root: string): BlockOwner {
  return { root, action: 'autostart' };
}

function serviceName(root: string): string {
  return unitName(idOf(root), 'autostart', 'service');
}

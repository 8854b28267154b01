import { resolve } from 'node:path';
import { has, type Installation } from '../postgres/installations.ts';
import { checkSettings } from '../tuning/check.ts';
import { settingVersions } from '../tuning/names.ts';
import type { Wishes } from '../tuning/plan.ts';
import { parseSettings } from '../tuning/set-text.ts';
import { parseSize } from '../tuning/sizes.ts';
import { isShipped, type Template } from '../tuning/templates.ts';
import type { Context, Values } from './action.ts';

/** What may be wished for about memory and settings, when an instance is made and later. */
export const tuningOptions = {
  'max-connections': { type: 'number', describe: "instead of the template's" },
  memory: { type: 'string', describe: "what it may commit, as 512MB or 4GB; default: the template's share" },
  set: { type: 'string', describe: "settings of your own, as name=value,name='a, b'" },
  overcommit: { type: 'boolean', describe: "even if it passes the host's memory budget; this is recorded" },
} as const;

/** How the WAL gets into the archive, when an instance is made and later. */
export const archiveOption = {
  archive: {
    type: 'string',
    choices: ['command', 'streaming'],
    describe: 'how WAL is archived: whole segments (command), or also as it is written (streaming)',
  },
} as const;

/** As a record has it. */
export function wayOf(given: string | undefined): 'streaming' | undefined {
  return given === 'streaming' ? given : undefined;
}

type Given = Values<typeof tuningOptions>;

/** @throws BAD_SETTING */
export function readTuning(given: Given): Wishes {
  return {
    ...(given['max-connections'] === undefined ? {} : { maxConnections: given['max-connections'] }),
    ...(given.memory === undefined || given.memory === 'default' ? {} : { memoryBytes: parseSize(given.memory) }),
    ...(given.set === undefined ? {} : { settings: parseSettings(given.set) }),
  };
}

/** The name of a template, or the path of a file, below the folder the caller stands in. */
export function templatePath(callerFolder: string, given: string): string {
  return given.includes('/') || /\.ya?ml$/.test(given) ? resolve(callerFolder, given) : given;
}

export interface Checked {
  /** Names that our own table lacks and this server knows. */
  vouched: ReadonlySet<string>;
  /** Ends when the server has looked at all settings; rejects with what it found. */
  checking: Promise<unknown>;
}

/**
 * Has the server look at the settings: before anything else where somebody has just written them; and beside the work where
 * they are of a template that comes with the tool and has been started before, so that it costs no time.
 * @throws BAD_SETTING, BAD_TEMPLATE
 */
export async function checkTuning(
  { task, dryRun }: Context,
  installation: Installation,
  template: Template,
  tuning: Wishes,
): Promise<Checked> {
  if (dryRun && !has(installation, 'postgres')) {
    task.warn('the server has not looked at the settings: its programs are copied into the root by the first action');
    return { vouched: new Set(), checking: Promise.resolve() };
  }
  const checking = checkSettings(installation, template, tuning, task.signal);
  const isKnown = (name: string): boolean => name.includes('.') || settingVersions(name) !== undefined;
  const trusted = isShipped(template) && tuning.settings === undefined && Object.keys(template.settings).every(isKnown);
  if (!trusted || dryRun) return { vouched: await checking, checking };
  checking.catch(() => undefined); // told where it is waited for
  return { vouched: new Set(), checking };
}

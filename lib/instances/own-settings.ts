import { basename } from 'node:path';
import { readText } from '../host/files.ts';
import { type SettingLine, settingLines } from '../postgres/setting-place.ts';
import { planFile } from '../tuning/render.ts';
import type { OwnSetting } from '../tuning/plan.ts';
import { givesUpDurability } from '../tuning/guards.ts';
import { ownConfiguration, recoveryConfiguration } from './configure.ts';
import type { InstancePaths } from './places.ts';

/** What an instance's files set, before any server has read them. */
export interface Configured {
  /** The value in force of every setting that stands in a file. */
  values: ReadonlyMap<string, string>;
  /** The names that the plan's file speaks of. */
  planned: ReadonlySet<string>;
  /** The operator's own lines that are in force: in postgresql.conf, what it includes, or by ALTER SYSTEM. */
  own: Readonly<Record<string, OwnSetting>>;
}

const ours = [planFile, ownConfiguration, recoveryConfiguration];

export function readConfigured(dataDirectory: string): Configured {
  const lines = settingLines(dataDirectory);
  const last = new Map(lines.map((line) => [line.name, line]));
  const own = [...last.values()].filter(({ file }) => !ours.includes(basename(file)));
  return {
    values: new Map([...last.values()].map(({ name, value }) => [name, value])),
    planned: new Set(lines.filter(({ file }) => basename(file) === planFile).map(({ name }) => name)),
    own: Object.fromEntries(own.map((line) => [line.name, { value: line.value, place: placeOf(line) }])),
  };
}

/** The same as if the operator's own lines of these names were not there. */
export function withoutOwn(configured: Configured, names: readonly string[]): Configured {
  const own = Object.entries(configured.own).filter(([name]) => !names.includes(name));
  return { ...configured, own: Object.fromEntries(own) };
}

/** The files in which the operator's own lines of these names stand, with their text as it is, and with those as comments. */
export function commentedOut(
  dataDirectory: string,
  names: readonly string[],
): { path: string; text: string; without: string }[] {
  const lines = settingLines(dataDirectory).filter(
    ({ file, name }) => names.includes(name) && !ours.includes(basename(file)),
  );
  return [...new Set(lines.map(({ file }) => file))].map((path) => {
    const text = readText(path) ?? '';
    const numbers = new Set(lines.filter(({ file }) => file === path).map(({ line }) => line));
    const without = text
      .split('\n')
      .map((line, index) => (numbers.has(index + 1) ? `# taken out by pg-manage tune --replace-own: ${line}` : line))
      .join('\n');
    return { path, text, without };
  });
}

/** The settings that an instance's files have off and by which a crash may lose its data. */
export function notDurable({ data }: Pick<InstancePaths, 'data'>): string[] {
  try {
    return [...readConfigured(data).values]
      .filter(([name, value]) => givesUpDurability(name, value))
      .map(([name]) => name);
  } catch {
    return []; // files that we may not read are told of as what they are
  }
}

function placeOf({ file, line, name }: SettingLine): string {
  const where = `${basename(file)}, line ${line}`;
  return basename(file) === 'postgresql.auto.conf'
    ? `${where} (ALTER SYSTEM; undo: ALTER SYSTEM RESET ${name})`
    : where;
}

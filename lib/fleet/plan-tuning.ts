import { type EffectiveSetting, isInForce } from '../tuning/effective.ts';
import { collectGiven } from '../tuning/given.ts';
import { spellSettings } from '../tuning/set-text.ts';
import { formatSize } from '../tuning/sizes.ts';
import { isShipped } from '../tuning/templates.ts';
import type { Known } from './situation.ts';
import { naming } from './room.ts';
import type { Change, Step } from './steps.ts';

const byTemplate = "the template's";

/**
 * The step that brings template, wishes and settings to what is declared; undefined where they are so. What formulas derive
 * from the host is not compared: that would change with every neighbour.
 */
export function planTuning(one: Known): Step | undefined {
  const { declared, observed, template } = one;
  const { name, tuning, overcommit, archive } = declared;
  const { record, configured } = observed;
  const { wishes } = record;
  const settings = settingChanges(one);
  const forgotten = Object.entries(wishes.settings ?? {}).filter(([setting]) => !(setting in (tuning.settings ?? {})));
  const connections = wishes.maxConnections !== undefined && tuning.maxConnections === undefined;
  const changes: Change[] = [
    ...changed('template', record.templateFile ?? record.template, isShipped(template) ? template.name : template.path),
    ...changed('memory', sizeOf(wishes.memoryBytes), sizeOf(tuning.memoryBytes)),
    ...changed('archive', record.archive ?? 'command', archive),
    ...changed('max-connections', countOf(wishes.maxConnections), countOf(tuning.maxConnections)),
    ...settings,
    ...forgotten.map(([what, before]) => ({ what, before, after: 'as planned' })),
  ];
  if (changes.length === 0) return undefined;
  const names = [...forgotten.map(([setting]) => setting), ...(connections ? ['max_connections'] : [])];
  const forget = names.map((setting) => [setting, 'default']);
  const set = { ...tuning.settings, ...Object.fromEntries(forget) };
  const replaces = Object.keys(tuning.settings ?? {}).some((setting) => setting in configured.own);
  return {
    sign: '~',
    instance: name,
    action: 'tune',
    options: {
      apply: true,
      template: declared.template,
      ...(tuning.memoryBytes !== undefined
        ? { memory: formatSize(tuning.memoryBytes) }
        : wishes.memoryBytes === undefined
          ? {}
          : { memory: 'default' }),
      ...(tuning.maxConnections === undefined ? {} : { 'max-connections': tuning.maxConnections }),
      ...(Object.keys(set).length === 0 ? {} : { set: spellSettings(set) }),
      ...(replaces ? { 'replace-own': true } : {}),
      ...(overcommit ? { overcommit } : {}),
      ...(archive === (record.archive ?? 'command') ? {} : { archive }),
    },
    changes,
  };
}

function changed(what: string, before: string, after: string): Change[] {
  return before === after ? [] : [{ what, before, after }];
}

function sizeOf(bytes: number | undefined): string {
  return bytes === undefined ? byTemplate : formatSize(bytes);
}

function countOf(count: number | undefined): string {
  return count === undefined ? byTemplate : String(count);
}

/** Every value that the file or the template gives in so many words and that is not in force, or not in the files. */
function settingChanges({ declared, observed, template, major }: Known): Change[] {
  const { name, tuning } = declared;
  const { configured, server, record } = observed;
  const named = tuning.settings ?? {};
  const vouched = new Set([...Object.keys(named), ...Object.keys(template.settings)]);
  const given = naming(name, () => collectGiven({ template, wishes: tuning, major, vouched }, []));
  // One that was adopted keeps its own configuration until somebody tunes it.
  const isUnplanned = record.adopted !== undefined && configured.planned.size === 0;
  return [...given].flatMap(([setting, { value }]): Change[] => {
    const own = configured.own[setting];
    if (own !== undefined && !(setting in named)) return []; // the operator's own line wins over a template
    if (isUnplanned && !(setting in named)) return [];
    if (setting === 'max_connections' && record.wishes.maxConnections !== tuning.maxConnections) return []; // told already
    const row = server?.settings.get(setting);
    const written = configured.values.get(setting);
    const alike = (text: string): boolean => row !== undefined && inForce(text, row);
    const sameFile = written === value || (written !== undefined && alike(written) && alike(value));
    let before = written ?? 'unset';
    if (sameFile) {
      if (row === undefined || row.isPending || alike(value)) return [];
      before = `${row.setting}${row.unit ?? ''}`;
    }
    return [
      { what: setting, before, after: value, ...(own === undefined ? {} : { why: own.place.replace(/ \(.*/, '') }) },
    ];
  });
}

/** What is no value at all is not in force; the budget says later what is wrong with it. */
function inForce(text: string, row: EffectiveSetting): boolean {
  try {
    return isInForce(text, row);
  } catch {
    return false;
  }
}

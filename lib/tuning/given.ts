import { AppError } from '../errors.ts';
import { checkWish, unknownName, versionObjection } from './guards.ts';
import { settingVersions } from './names.ts';
import { badTemplate } from './template-file.ts';
import { parseSize, spellSize } from './sizes.ts';
import type { PlanInput } from './types.ts';

/** A value that somebody wrote down, which wins over any formula. */
export interface GivenSetting {
  value: string;
  reason: string;
  /** Where it stands, for the operator's own lines in postgresql.conf. */
  ownPlace?: string;
  /** True for those lines of theirs that neither template nor wishes speak of. */
  ownOnly?: boolean;
}

export type Given = ReadonlyMap<string, GivenSetting>;

/** The unit of a bare number (pg_settings.unit), in bytes, of the settings that the memory model reads. */
const bareUnits: Record<string, number> = {
  shared_buffers: 8192,
  wal_buffers: 8192,
  work_mem: 1024,
  maintenance_work_mem: 1024,
  autovacuum_work_mem: 1024,
};

/** Those for which -1 lets the server decide. */
const automatic = ['wal_buffers', 'autovacuum_work_mem'];

/**
 * What template, wishes and the operator's own lines say, these last, as the server reads them. A template serves all versions, so what this one lacks is left out with a
 * warning; a wish is for this server.
 * @throws BAD_SETTING for a wish that cannot be granted, BAD_TEMPLATE for a name that no server knows
 */
export function collectGiven(
  { template, wishes, major, vouched, own }: Pick<PlanInput, 'template' | 'wishes' | 'major' | 'vouched' | 'own'>,
  warnings: string[],
): Given {
  const given = new Map<string, GivenSetting>();
  const isUnknown = (name: string): boolean =>
    !name.includes('.') && settingVersions(name) === undefined && vouched?.has(name) !== true;
  const unknown = Object.keys(template.settings).filter(isUnknown);
  if (unknown.length > 0) {
    const problems = unknown.map((name) => ({ line: template.lines[name] ?? 0, text: unknownName(name).message }));
    throw badTemplate(template.path, problems);
  }
  for (const [name, value] of Object.entries(template.settings)) {
    const objection = versionObjection(name, major);
    if (objection !== undefined) warnings.push(`template ${template.name}: ${objection.message}; left out`);
    else given.set(name, { value: spell(name, value), reason: templateReason(template, template.comments[name]) });
  }
  for (const [name, value] of Object.entries(wishes.settings ?? {})) {
    checkWish(name, value, major, template.durable, isUnknown(name));
    given.set(name, { value: spell(name, value), reason: 'asked for with --set' });
  }
  if (wishes.maxConnections !== undefined) {
    const asked = given.get('max_connections')?.value;
    if (asked !== undefined && Number(asked) !== wishes.maxConnections) {
      throw new AppError(
        'BAD_SETTING',
        `--max-connections ${wishes.maxConnections} and --set max_connections=${asked} disagree`,
        {
          hint: 'give one of them',
        },
      );
    }
    given.set('max_connections', { value: String(wishes.maxConnections), reason: 'asked for with --max-connections' });
  }
  for (const [name, { value, place }] of Object.entries(own ?? {})) {
    const reason = `your own line wins: ${place}`;
    given.set(name, { value: spell(name, value), reason, ownPlace: place, ownOnly: !given.has(name) });
  }
  return given;
}

export function templateReason(template: { name: string }, comment: string | undefined): string {
  return `template ${template.name}${comment === undefined ? '' : `: ${comment}`}`;
}

function spell(name: string, value: string): string {
  return name in bareUnits ? spellSize(value.trim()) : value;
}

/** A given size in bytes, -1 for the server's "automatic", undefined where nobody gave one. @throws BAD_SETTING */
export function givenBytes(given: Given, name: string): number | undefined {
  const value = given.get(name)?.value;
  if (value === undefined) return undefined;
  try {
    return value === '-1' && automatic.includes(name) ? -1 : parseSize(value, bareUnits[name]);
  } catch (error) {
    throw badValue(given, name, 'a size like 64MB', error);
  }
}

/** A given whole number of at least `least`; undefined where nobody gave one. @throws BAD_SETTING */
export function givenNumber(given: Given, name: string, least = 0): number | undefined {
  const value = given.get(name)?.value;
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value) || Number(value) < least) throw badValue(given, name, `a whole number from ${least}`);
  return Number(value);
}

/** A given factor, whole or not; undefined where nobody gave one. @throws BAD_SETTING */
export function givenFactor(given: Given, name: string): number | undefined {
  const value = given.get(name)?.value;
  if (value === undefined) return undefined;
  if (!/^\d+(\.\d+)?$/.test(value)) throw badValue(given, name, 'a number like 1.5');
  return Number(value);
}

function badValue(given: Given, name: string, expected: string, cause?: unknown): AppError {
  const { value, reason } = given.get(name) ?? { value: '', reason: '' };
  return new AppError('BAD_SETTING', `${name} = "${value}" (${reason}) is not ${expected}`, {
    hint: `write ${expected}`,
    cause,
  });
}

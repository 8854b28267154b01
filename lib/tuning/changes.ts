import type { Takes } from '../postgres/configuration.ts';
import type { Plan } from './types.ts';

/** What tuning does to one setting. */
export interface SettingChange {
  name: string;
  /** As it is configured now; null where the server's default is in force. */
  before: string | null;
  /** As it would be; null where the plan no longer speaks of it. */
  after: string | null;
  reason: string;
  /** What the change takes to come into force; null where nothing changes. */
  takes: Takes | null;
}

/**
 * Compares what is configured with a plan.
 * @param configured the last line of every setting, from all files
 * @param planned the names that the plan in force speaks of
 * @param takes what a change of a setting takes, as far as the server says
 */
export function compareSettings(
  { settings }: Pick<Plan, 'settings'>,
  configured: ReadonlyMap<string, string>,
  planned: Iterable<string>,
  takes: ReadonlyMap<string, Takes>,
): SettingChange[] {
  const names = new Set(settings.map(({ name }) => name));
  const dropped = [...planned].filter((name) => !names.has(name));
  const rows = [
    ...settings.map(({ name, value, reason }) => ({ name, after: value, reason })),
    ...dropped.map((name) => ({ name, after: null, reason: 'no longer planned: the server’s default' })),
  ];
  return rows.map(({ name, after, reason }) => {
    const before = configured.get(name) ?? null;
    // What nobody can say is taken for the slower way: a restart is never too much.
    return { name, before, after, reason, takes: before === after ? null : (takes.get(name) ?? 'restart') };
  });
}

import { AppError } from '../errors.ts';
import { describeSettings, type Fault, settingFaults } from '../postgres/configuration.ts';
import type { Installation } from '../postgres/installations.ts';
import { objectionTo, unknownName } from './guards.ts';
import { majorHasSetting, settingVersions } from './names.ts';
import { badTemplate } from './template-file.ts';
import type { Template, Wishes } from './types.ts';

/**
 * Has the very server that is to run with them look at the settings of a template and of --set: their names, units, ranges
 * and words. What other majors know and this one does not is left to the plan.
 * @returns the names that our own table lacks and this server knows
 * @throws BAD_TEMPLATE with every fault and its line; BAD_SETTING for one of --set
 */
export async function checkSettings(
  installation: Installation,
  template: Template,
  wishes: Wishes,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const wished = wishes.settings ?? {};
  const asked = forServer({ ...template.settings, ...wished }, installation.major);
  const faults = await settingFaults(installation, asked, signal);
  const names = faults.some(({ unknown }) => unknown) ? await describeSettings(installation, signal) : new Map();
  const explained = faults.map((fault) => explain(fault, [...names.keys()]));

  const own = explained.find(({ name }) => name in wished);
  if (own !== undefined) throw new AppError('BAD_SETTING', own.message, { hint: own.hint });
  if (explained.length > 0) {
    const problems = explained.map(({ name, message }) => ({ line: template.lines[name] ?? 0, text: message }));
    throw badTemplate(template.path, problems);
  }
  return new Set(Object.keys(asked).filter((name) => settingVersions(name) === undefined));
}

/** What the tool itself refuses, the plan explains better. */
function forServer(settings: Record<string, string>, major: number): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).filter(
      ([name, value]) => objectionTo(name, value) === undefined && majorHasSetting(name, major),
    ),
  );
}

function explain({ name, unknown, message, hint }: Fault, known: string[]) {
  if (unknown) return { name, ...unknownName(name, known) };
  return { name, message: hint === undefined ? message : `${message}: ${hint}`, hint: hint ?? `correct ${name}` };
}

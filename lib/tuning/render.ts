import type { Plan, PlannedSetting } from './types.ts';

/** The file beside postgresql.conf that holds what the tool itself decides. */
export const ownFile = 'pg-manage.conf';
/** The file beside postgresql.conf that holds the plan. */
export const planFile = 'pg-manage.tuning.conf';
export const planInclude = `include '${planFile}'`;

/** The text of postgresql.conf, which is the operator's: between what is planned and what the tool must have its way in. */
export function renderMainConfiguration(instance: string): string {
  return [
    ...comment(
      `PostgreSQL settings of the instance ${instance}. This file is yours: pg-manage only sees to its includes.`,
    ),
    ...comment('The planned settings, each with its reason; written by --action tune:'),
    planInclude,
    '',
    ...comment('Your own settings go here. They win over the planned ones, and tuning counts with them.'),
    '',
    ...comment('What the tool itself decides (port, sockets, archive). It comes last, so that it wins:'),
    `include '${ownFile}'`,
    '',
  ].join('\n');
}

/**
 * The text of the plan's file. An operator's own line is left to stand where it does. Reasons stand above their settings, so that a long one does not push the next value out of
 * sight.
 */
export function renderPlan(plan: Plan, { template, instance }: { template: string; instance: string }): string {
  return [
    ...comment(`What pg-manage has planned for the instance ${instance} from the template ${template}.`),
    ...comment(
      'Written when the instance is created and by --action tune: your own lines belong into postgresql.conf.',
    ),
    '',
    ...plan.settings.flatMap(renderSetting),
  ].join('\n');
}

function renderSetting({ name, value, reason, ownPlace }: PlannedSetting): string[] {
  if (ownPlace !== undefined) return [...comment(`${name}: ${reason}`), ''];
  return [...comment(reason), `${name} = ${quote(value)}`, ''];
}

/** A comment never spills into the configuration: control characters become spaces. */
function comment(text: string): string[] {
  return [`# ${text.replace(/[\0-\x1f\x7f]+/g, ' ').trim()}`];
}

/**
 * Numbers, sizes, durations and single words stand as they are. Everything else is quoted; inside quotes the server reads a
 * doubled quote as one, and backslash escapes (GUC_scanstr in guc-file.l).
 */
export function quote(value: string): string {
  if (/^-?\d+(\.\d+)?$|^-?\d+(B|kB|MB|GB|TB|us|ms|s|min|h|d)$|^[A-Za-z][A-Za-z0-9_]*$/.test(value)) return value;
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

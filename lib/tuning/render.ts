import type { Plan, PlannedSetting } from './types.ts';

/** The file beside postgresql.conf that holds what the tool itself decides. */
export const ownFile = 'pg-manage.conf';

/**
 * The text of postgresql.conf. Reasons stand above their settings, so that a long one does not push the next value out of
 * sight.
 */
export function renderConfiguration(
  plan: Plan,
  { template, instance }: { template: string; instance: string },
): string {
  return [
    ...comment(`PostgreSQL settings of the instance ${instance}, planned by pg-manage from the template ${template}.`),
    ...comment(
      'You may edit this file: the tool writes it when the instance is created and when it is asked to tune it.',
    ),
    '',
    ...plan.settings.flatMap(renderSetting),
    ...comment(
      'What the tool itself decides (port, sockets, archive) is in this file. It is rewritten at every start and',
    ),
    ...comment('comes last, so that it wins: change nothing there.'),
    `include '${ownFile}'`,
    '',
  ].join('\n');
}

function renderSetting({ name, value, reason }: PlannedSetting): string[] {
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

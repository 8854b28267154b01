import { calendarLines } from './cron.ts';
import { fill, type Job } from './plan.ts';

export interface Unit {
  /** `pg-manage-1a2b3c4d-backup.timer` */
  name: string;
  text: string;
}

/** @param id tells the roots of one host apart */
export function unitName(id: string, job: string, kind: 'service' | 'timer'): string {
  return `pg-manage-${id}-${job}.${kind}`;
}

/** Pure: a service and a timer for each job, from templates/schedule.service and .timer. */
export function planUnits(
  jobs: readonly Job[],
  { id, root, user }: { id: string; root: string; user: string },
  templates: { service: string; timer: string },
): Unit[] {
  return jobs.flatMap(({ name, times, file }) => {
    const calendar = calendarLines(times).map((line) => `OnCalendar=${line}`);
    const values = { JOB: name, ROOT: escape(root), USER: user, SCRIPT: argument(file), CALENDAR: calendar.join('\n') };
    return [
      { name: unitName(id, name, 'service'), text: fill(templates.service, values) },
      { name: unitName(id, name, 'timer'), text: fill(templates.timer, values) },
    ];
  });
}

/** systemd reads % as the beginning of a specifier. */
export function escape(text: string): string {
  return text.replaceAll('%', '%%');
}

/** A path as one word of a unit's line (systemd.syntax, "Quoting"). */
export function quote(path: string): string {
  return `"${escape(path)
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)}"`;
}

/** A path as an argument of a command, in which systemd puts variables in. */
export function argument(path: string): string {
  return quote(path).replaceAll('$', '$$$$');
}

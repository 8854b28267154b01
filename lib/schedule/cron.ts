import { AppError } from '../errors.ts';

/** When something is due, as cron understands it: the values of each field; undefined for any. */
export interface Times {
  /** As cron writes it: five fields. */
  expression: string;
  minutes: number[];
  hours: number[];
  days: number[] | undefined;
  months: number[] | undefined;
  /** 0 is Sunday. */
  weekdays: number[] | undefined;
}

const words: Readonly<Record<string, string>> = {
  hourly: '0 * * * *',
  daily: '30 3 * * *',
  weekly: '30 3 * * 0',
  monthly: '30 3 1 * *',
};

const weekdayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** Reads five fields, or hourly, daily, weekly, monthly. @throws USAGE */
export function parseTimes(text: string): Times {
  const expression = words[text] ?? text.trim().replaceAll(/\s+/g, ' ');
  const fields = expression.split(' ');
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  try {
    if (fields.length !== 5) throw new RangeError('five fields');
    const named = weekday.toLowerCase().replaceAll(/[a-z]{3}/g, (name) => String(weekdayNames.indexOf(name)));
    return {
      expression,
      minutes: valuesOf(minute, 0, 59),
      hours: valuesOf(hour, 0, 23),
      days: day === '*' ? undefined : valuesOf(day, 1, 31),
      months: month === '*' ? undefined : valuesOf(month, 1, 12),
      weekdays:
        named === '*' ? undefined : [...new Set(valuesOf(named, 0, 7).map((value) => value % 7))].sort((a, b) => a - b),
    };
  } catch {
    throw new AppError('USAGE', `"${text}" is no time for a schedule`, {
      hint: "write it as cron does, '0 2 * * *' (minute, hour, day, month, weekday), or hourly, daily, weekly, monthly",
    });
  }
}

/** Any (an asterisk), `5`, `1-5`, each with a step behind it as in `1-20/3`, and lists of these. @throws RangeError */
function valuesOf(field: string, least: number, most: number): number[] {
  const values = field.split(',').flatMap((part) => {
    const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
    if (match === null) throw new RangeError(part);
    const [, first, last, every] = match;
    const from = first === undefined ? least : Number(first);
    const to = last !== undefined ? Number(last) : first === undefined || every !== undefined ? most : from;
    const step = every === undefined ? 1 : Number(every);
    if (from < least || to > most || from > to || step < 1) throw new RangeError(part);
    return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);
  });
  return [...new Set(values)].sort((a, b) => a - b);
}

/**
 * The same times for systemd (systemd.time, "Calendar Events"). Where both day and weekday are given, cron means either, and
 * systemd takes a line for each.
 */
export function calendarLines({ minutes, hours, days, months, weekdays }: Times): string[] {
  const list = (values: number[] | undefined): string => values?.map(two).join(',') ?? '*';
  const clock = `${hours.length === 24 ? '*' : list(hours)}:${minutes.length === 60 ? '*' : list(minutes)}:00`;
  const names = weekdays?.map((day) => capital(weekdayNames[day] ?? '')).join(',');
  const onDays = `*-${list(months)}-${list(days)} ${clock}`;
  const onWeekdays = `${names} *-${list(months)}-* ${clock}`;
  if (names === undefined) return [onDays];
  return days === undefined ? [onWeekdays] : [onDays, onWeekdays];
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

const minutesADay = 24 * 60;

/** The longest time between two runs, in minutes; looked at over four years, so that every 29th of February is in it. */
export function longestGapMinutes(times: Times): number {
  const moments = times.hours.flatMap((hour) => times.minutes.map((minute) => hour * 60 + minute));
  const [first = 0, last = 0] = [moments[0], moments.at(-1)];
  let longest = Math.max(0, ...moments.slice(1).map((moment, index) => moment - (moments[index] ?? 0)));
  let before: number | undefined;
  const begin = Date.UTC(2028, 0, 1);
  for (let day = 0; day < 4 * 366; day++) {
    if (!isDue(new Date(begin + day * minutesADay * 60_000), times)) continue;
    if (before !== undefined) longest = Math.max(longest, (day - before) * minutesADay - last + first);
    before = day;
  }
  return longest;
}

function isDue(date: Date, { days, months, weekdays }: Times): boolean {
  if (months !== undefined && !months.includes(date.getUTCMonth() + 1)) return false;
  const [onDay, onWeekday] = [days?.includes(date.getUTCDate()), weekdays?.includes(date.getUTCDay())];
  if (onDay === undefined || onWeekday === undefined) return onDay ?? onWeekday ?? true;
  return onDay || onWeekday;
}

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { findProgram } from '../../../lib/host/programs.ts';
import { calendarLines, longestGapMinutes, parseTimes } from '../../../lib/schedule/cron.ts';

const day = 24 * 60;

const schedules: [text: string, calendar: string[], gapMinutes: number][] = [
  ['0 2 * * *', ['*-*-* 02:00:00'], day],
  ['daily', ['*-*-* 03:30:00'], day],
  ['weekly', ['Sun *-*-* 03:30:00'], 7 * day],
  ['monthly', ['*-*-01 03:30:00'], 31 * day],
  ['hourly', ['*-*-* *:00:00'], 60],
  ['*/15 * * * *', ['*-*-* *:00,15,30,45:00'], 15],
  ['30 1,13 * * 1-5', ['Mon,Tue,Wed,Thu,Fri *-*-* 01,13:30:00'], 2 * day + day / 2],
  ['0 2 * * mon,7', ['Sun,Mon *-*-* 02:00:00'], 6 * day],
  ['0 0 1 1 *', ['*-01-01 00:00:00'], 366 * day],
  ['0 4 15 * 0', ['*-*-15 04:00:00', 'Sun *-*-* 04:00:00'], 7 * day],
  ['0 20-23/3 * * *', ['*-*-* 20,23:00:00'], 21 * 60],
];

describe('times of a schedule', () => {
  it.each(schedules)('%s', (text, calendar, gap) => {
    const times = parseTimes(text);
    expect(calendarLines(times)).toEqual(calendar);
    expect(longestGapMinutes(times)).toBe(gap);
  });

  it.each(schedules)('%s is as long apart by systemd as by us', (_, calendar, gap) => {
    const analyze = findProgram('systemd-analyze');
    if (analyze === undefined) return; // a machine without systemd
    const args = ['calendar', '--iterations=300', '--base-time=2026-01-01 00:00:00 UTC'];
    const lines = calendar.map((line) => {
      const text = execFileSync(analyze, [...args, line], { encoding: 'utf8', env: { TZ: 'UTC' } });
      const told = text.matchAll(/(?:Next elapse|Iter\. #\d+): \w+ (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g);
      return [...told].map(([, date, time]) => Date.parse(`${date}T${time}Z`) / 60_000);
    });
    // Up to where all of them go; systemd's own calendar ends in 2199.
    const end = Math.min(...lines.map((times) => times.at(-1) ?? 0));
    const sorted = lines.flatMap((times) => times.filter((time) => time <= end)).sort((one, other) => one - other);
    expect(sorted.length).toBeGreaterThan(100);
    expect(Math.max(...sorted.slice(1).map((time, index) => time - (sorted[index] ?? 0)))).toBe(gap);
  });

  it.each(['', '0 2 * *', '0 2 * * * *', '60 2 * * *', '0 24 * * *', '0 2 0 * *', '0 2 * 13 *', '0 2 * * 8', 'often'])(
    'refuses %j',
    (text) => {
      expect(() => parseTimes(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );

  it.each(['5-1 * * * *', '*/0 * * * *', '1;id * * * *', '0 2 * * xyz', '@reboot'])('refuses %j', (text) => {
    expect(() => parseTimes(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

import { describe, expect, it } from '@jest/globals';
import { calendarLines, longestGapMinutes, parseTimes } from '../../../lib/schedule/cron.ts';

const day = 24 * 60;

describe('times of a schedule', () => {
  it.each([
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
  ])('%s', (text, calendar, gap) => {
    const times = parseTimes(text);
    expect(calendarLines(times)).toEqual(calendar);
    expect(longestGapMinutes(times)).toBe(gap);
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

import { describeAlarm } from '../backups/alarm.ts';
import type { Protection } from '../backups/protection.ts';
import { moment } from './moment.ts';

/** What status says of how well an instance could be brought back. */
export function protectionLines(protection: Protection): [string, string][] {
  const { alarm, backupDue, pointInTime, stale, verifiedAgeSeconds } = protection;
  const { state, since, brokenSince, gaps } = pointInTime;
  const moments = {
    none: 'no: there is no backup to begin from',
    whole: `any moment since ${moment(since)}`,
    broken: `broken since ${moment(brokenSince)}, until the next backup: ${gaps.join(', ')} is missing`,
  };
  const lines: [string, string][] = [['point in time', moments[state]]];
  if (backupDue !== null) lines.push(['backup due', backupDue]);
  if (stale && verifiedAgeSeconds !== null)
    lines.push(['too old', `the newest verified backup: ${(verifiedAgeSeconds / 3600).toFixed(0)} h`]);
  if (alarm !== null) lines.push(['alarm', describeAlarm(alarm)]);
  return lines;
}

import { describeAlarm } from '../backups/alarm.ts';
import type { Protection } from '../backups/protection.ts';
import { type Finding, manage } from './finding.ts';

/** Damage, a restore without a backup since, and an archive that could not be proven; age and gaps are judged elsewhere. */
export function judgeProtection(name: string, { alarm, backupDue, pointInTime, unproven }: Protection): Finding[] {
  const findings: Finding[] = [];
  const add = (finding: Omit<Finding, 'subject'>): void => void findings.push({ ...finding, subject: name });
  if (alarm !== null) {
    const cause = `${describeAlarm(alarm)}; the alarm stands since ${alarm.raisedAt}, and retention removes nothing.`;
    const remedy = `${manage('backup', name)} && ${manage('clear-alarm', name)}`;
    add({ code: 'DAMAGE_ALARM', severity: 'critical', cause, remedy });
  }
  if (unproven !== null) {
    const cause = `the last proof of the archive failed: ${unproven}.`;
    add({ code: 'ARCHIVE_UNPROVEN', severity: 'critical', cause, remedy: manage('backup', name) });
  }
  // Without any backup, and with a gap, a finding of its own says so.
  if (backupDue !== null && pointInTime.state === 'whole') {
    add({
      code: 'BACKUP_DUE',
      severity: 'warning',
      cause: `a backup is due: ${backupDue}.`,
      remedy: manage('backup', name),
    });
  }
  return findings;
}

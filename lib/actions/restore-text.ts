import { type Backup, backupFolder } from '../backups/catalogue.ts';
import { archiveOfBackup } from '../backups/repository.ts';
import type { RestorePlan } from '../backups/restore-plan.ts';
import { previewRestore } from '../backups/restore-preview.ts';
import { describeTarget } from '../backups/restore-target.ts';
import type { InstanceName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import { humanBytes } from '../tuning/sizes.ts';
import type { Outcome } from './action.ts';
import { moment } from './moment.ts';

/** What a restore would do, for `--dry-run`. */
export function describePlan(
  places: Places,
  plan: RestorePlan,
  instance: InstanceName,
  backups: readonly Backup[],
): Outcome {
  const { backup, timeline, target } = plan;
  const preview = previewRestore(places, plan, instance, backups);
  const { walSegments, walBytes, walReceived, gaps, freeBytes, expectedSeconds } = preview;
  const folder = archiveOfBackup(places, backup.instance.name, backup.instance.id);
  const to = describeTarget(target);
  const data = {
    name: instance,
    backupId: backup.id,
    timeline,
    target: to,
    toTime: target.kind === 'time' ? target.time : null,
    startLsn: backup.startLsn,
    stopLsn: backup.stopLsn,
    ...preview,
  };
  const fields: [string, string][] = [
    ['instance', instance],
    ['backup', `${backup.id} (${backup.state}), finished ${moment(backup.finishedAt)}`],
    ['to', to],
    ['timeline', timeline === backup.timeline ? String(timeline) : `${timeline}, from ${backup.timeline}`],
    ['data', humanBytes(backup.dataBytes)],
    [
      'WAL',
      `${walSegments} ${walSegments === 1 ? 'segment' : 'segments'} from ${backup.stopLsn} on, ${humanBytes(walBytes)} at the most`,
    ],
    ...(walReceived === 0
      ? []
      : [['received', `${walReceived} more, in whole or in part, as it was written`] as [string, string]]),
    ['gaps', gaps.join(', ') || 'none'],
    ['free', humanBytes(freeBytes)],
    ['takes about', expectedSeconds === null ? 'not known: nothing was restored yet' : `${expectedSeconds} s`],
    ['files', backupFolder(places, backup.instance.name, backup.id)],
    ['archive', folder],
  ];
  return { data, text: [{ line: `would restore:` }, { fields }] };
}

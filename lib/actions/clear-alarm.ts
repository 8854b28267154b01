import { clearAlarm as clear, describeAlarm, readAlarm } from '../backups/alarm.ts';
import { listBackups } from '../backups/catalogue.ts';
import { requireRepositoryName } from '../backups/repository.ts';
import { AppError } from '../errors.ts';
import { instanceAction } from './action.ts';

export const clearAlarm = instanceAction({
  name: 'clear-alarm',
  summary: 'end the alarm that damage has raised',
  details:
    'When damage is found in the data or in a backup, an alarm stands and retention removes nothing, until this says that it has been seen to. It takes a backup that was verified since; --force does without.',
  examples: [['./manage.ts --action clear-alarm --instance client-a', 'after a new backup was verified']],
  options: { force: { type: 'boolean', describe: 'though no backup was verified since' } },
  target: 'either',
  lock: 'exclusive',
  changes: true,
  async run({ places, dryRun }, instance, { force }) {
    const name = requireRepositoryName(places, instance);
    const alarm = readAlarm(places, name);
    if (alarm === undefined) return { data: { name, alarm: null }, text: [{ line: `${name}: no alarm stands` }] };
    const lastSeen = alarm.damage.at(-1)?.at ?? alarm.raisedAt;
    const since = listBackups(places, name).findLast((one) => one.state === 'verified' && one.startedAt > lastSeen);
    if (since === undefined && force !== true) {
      throw new AppError(
        'DAMAGE_ALARM',
        `no backup of ${name} was taken and verified since ${lastSeen}: ${describeAlarm(alarm)}`,
        {
          hint: `./manage.ts --action backup --instance ${name} — or add --force`,
        },
      );
    }
    if (!dryRun) clear(places, name);
    const proof = since === undefined ? '' : `; backup ${since.id} was verified since`;
    const line = `${name}: ${dryRun ? 'would clear' : 'cleared'} the alarm of ${alarm.raisedAt} (${describeAlarm(alarm)})${proof}`;
    return { data: { name, alarm }, text: [{ line }] };
  },
});

import { backupFields, requireBackup } from '../backups/catalogue.ts';
import { assertProven, verifyBackup as prove } from '../backups/verify.ts';
import { instanceAction } from './action.ts';
import { installationOf } from './shared.ts';

export const verifyBackup = instanceAction({
  name: 'verify-backup',
  summary: 'prove a backup again by a test restore',
  details: 'Exit status 7 when it cannot be proven; the file that is damaged or missing is named.',
  examples: [
    ['./manage.ts --action verify-backup --instance client-a', 'the newest one'],
    ['./manage.ts verify-backup client-a --backup-name 20261121T101500Z', 'this one'],
  ],
  options: { 'backup-name': { type: 'string', alias: 'b', describe: 'which one (default: latest)' } },
  target: 'either',
  lock: 'shared',
  changes: true,
  async run(context, name, given) {
    const backup = requireBackup(context.places, name, given['backup-name'] ?? 'latest');
    if (context.dryRun)
      return { data: { id: backup.id }, text: [{ line: `would restore ${backup.id} beside and ask it` }] };
    const installation = await installationOf(context, backup.instance);
    const judged = await prove(context, installation, backup);
    assertProven(judged);
    const rows =
      judged.verification?.checks.map((check) => [check.name, check.ok ? 'ok' : 'failed', check.detail]) ?? [];
    return {
      data: backupFields(judged),
      text: [
        { head: ['check', 'result', 'detail'], rows },
        {
          line: `${name}: backup ${judged.id} is ${judged.state}, restored in ${judged.verification?.restoreSeconds?.toFixed(1)} s`,
        },
      ],
    };
  },
});

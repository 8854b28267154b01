import { backupFields, requireBackup } from '../backups/catalogue.ts';
import { withSlot } from '../backups/slots.ts';
import { assertProven, verifyBackup as prove } from '../backups/verify.ts';
import { instanceAction } from './action.ts';
import { installationOf } from './shared.ts';
import { checkTable, measured, readVerifyOptions, verifyDetails, verifyOptions } from './verify-options.ts';

export const verifyBackup = instanceAction({
  name: 'verify-backup',
  summary: 'prove a backup again by a test restore',
  details: `Exit status 7 when it cannot be proven; the file that is damaged or missing is named.\n\n${verifyDetails}`,
  examples: [
    ['./manage.ts --action verify-backup --instance client-a', 'the newest one'],
    ['./manage.ts verify-backup client-a --backup-name 20261121T101500Z', 'this one'],
    ['./manage.ts verify-backup client-a --level full', 'and the archive, to its end'],
  ],
  options: {
    'backup-name': { type: 'string', alias: 'b', describe: 'which one (default: latest)' },
    ...verifyOptions,
  },
  target: 'either',
  lock: 'shared',
  changes: true,
  async run(context, name, given) {
    const backup = requireBackup(context.places, name, given['backup-name'] ?? 'latest');
    const how = readVerifyOptions(context, given);
    if (context.dryRun)
      return { data: { id: backup.id }, text: [{ line: `would restore ${backup.id} beside and ask it` }] };
    const installation = await installationOf(context, backup.instance);
    const judged = await withSlot(
      context,
      'verify-backup',
      async () => await prove(context, installation, backup, how),
    );
    assertProven(judged);
    return {
      data: backupFields(judged),
      text: [
        checkTable(judged.verification?.checks ?? []),
        { line: `${name}: backup ${judged.id} is ${judged.state}, ${measured(judged)}` },
      ],
    };
  },
});

import { backupFields, requireBackup } from '../backups/catalogue.ts';
import { type Dump, dumpFields, findDump } from '../backups/dumps/catalogue.ts';
import { assertDumpProven, verifyDump } from '../backups/dumps/verify.ts';
import { withSlot } from '../backups/slots.ts';
import { assertProven, type Verified, verifyBackup as prove } from '../backups/verify.ts';
import { type Context, instanceAction, type Outcome } from './action.ts';
import { dumpMeasured, refuseOptions } from './backup-dump.ts';
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
    'backup-name': { type: 'string', alias: 'b', describe: 'which one (default: the newest base backup)' },
    ...verifyOptions,
  },
  target: 'either',
  lock: 'shared',
  changes: true,
  async run(context, name, given) {
    const dump = findDump(context.places, name, given['backup-name'] ?? 'latest');
    if (dump !== undefined) {
      refuseOptions(given, ['level', 'verify-sql'], 'is for base backups');
      return await proveDump(context, dump);
    }
    const backup = requireBackup(context.places, name, given['backup-name'] ?? 'latest');
    const how = readVerifyOptions(context, given);
    if (context.dryRun)
      return { data: { id: backup.id }, text: [{ line: `would restore ${backup.id} beside and ask it` }] };
    const installation = await installationOf(context, backup.instance);
    const work = async (): Promise<Verified> => await prove(context, installation, backup, how);
    const verified = await withSlot(context, 'verify-backup', work);
    assertProven(verified);
    const { backup: judged } = verified;
    return {
      data: backupFields(judged),
      text: [
        checkTable(judged.verification?.checks ?? []),
        { line: `${name}: backup ${judged.id} is ${judged.state}, ${measured(judged)}` },
      ],
    };
  },
});

async function proveDump(context: Context, dump: Dump): Promise<Outcome> {
  const { id, type, instance } = dump;
  if (context.dryRun) return { data: { id }, text: [{ line: `would restore ${id} into an empty server and count` }] };
  const installation = await installationOf(context, instance);
  const judged = await withSlot(context, 'verify-backup', async () => await verifyDump(context, installation, dump));
  assertDumpProven(judged);
  const line = `${instance.name}: ${type} ${id} is ${judged.state}, ${dumpMeasured(judged)}`;
  return { data: dumpFields(judged), text: [checkTable(judged.verification?.checks ?? []), { line }] };
}

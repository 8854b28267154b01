import { backupFields, parseBackupId, readBackup } from '../backups/catalogue.ts';
import { codecs, type Codec } from '../backups/compression.ts';
import { takeBackup, timestampId } from '../backups/take.ts';
import { assertProven, verifyBackup } from '../backups/verify.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { instanceAction } from './action.ts';
import { hadFinished, installationOf, openRunning } from './shared.ts';

export const backup = instanceAction({
  name: 'backup',
  summary: 'take a base backup and prove it by a test restore',
  details:
    'The backup is taken while the server works. Then a server is started from it beside the living one, recovered, and asked; only that makes it "verified". A backup that fails this is kept for inspection, and the exit status is 7.',
  examples: [
    ['./manage.ts --action backup --instance client-a', 'take and prove'],
    ['./manage.ts backup all --quiet', 'for cron: silent unless something fails'],
    ['./manage.ts backup client-a --no-verify', 'take it only; prove it later with verify-backup'],
  ],
  options: {
    'backup-name': { type: 'string', alias: 'b', describe: 'its name (default: the time, as 20261121T101500Z)' },
    label: { type: 'string', describe: 'a note kept with it' },
    compress: {
      type: 'string',
      choices: codecs,
      describe: 'default: zstd or lz4 where server and machine can, else gzip',
    },
    verify: { type: 'boolean', describe: 'use --no-verify to leave it unproven' },
  },
  target: 'existing',
  lock: 'shared',
  changes: true,
  check: ({ 'backup-name': id }) => void (id === undefined || parseBackupId(id)),
  async run(context, name, given) {
    const { record } = openRunning(context, name);
    const id = given['backup-name'] === undefined ? timestampId() : parseBackupId(given['backup-name']);
    if (context.dryRun) return { data: { id }, text: [{ line: `would take backup ${id} of ${name}` }] };
    const installation = await installationOf(context, record);
    const codec = given.compress as Codec | undefined;
    // Killed after it was taken and before it was proven: only the proof is left to do.
    const earlier = hadFinished(context, 'backup') ? readBackup(context.places, record.name, id) : undefined;
    const taken = earlier ?? (await takeBackup(context, installation, record, { id, label: given.label, codec }));
    const prove = given.verify !== false;
    const judged = prove ? await verifyBackup(context, installation, taken) : taken;
    if (prove) assertProven(judged);
    const proof = judged.verification
      ? `, restored in ${judged.verification.restoreSeconds?.toFixed(1)} s`
      : ', not proven yet';
    return {
      data: backupFields(judged),
      text: [{ line: `${name}: backup ${judged.id} is ${judged.state} (${humanBytes(judged.sizeBytes)}${proof})` }],
    };
  },
});

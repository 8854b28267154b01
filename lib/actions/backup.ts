import { type Backup, backupFields, parseBackupId, readBackup } from '../backups/catalogue.ts';
import { codecs, type Codec } from '../postgres/codecs.ts';
import { withSlot } from '../backups/slots.ts';
import { takeBackup, timestampId } from '../backups/take.ts';
import { assertProven, verifyBackup } from '../backups/verify.ts';
import { AppError } from '../errors.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Context, instanceAction } from './action.ts';
import { hadFinished, installationOf, openRunning, pingOption } from './shared.ts';
import { measured, readVerifyOptions, verifyDetails, verifyOptions } from './verify-options.ts';

export const backup = instanceAction({
  name: 'backup',
  summary: 'take a base backup and prove it by a test restore',
  details: `The backup is taken while the server works. Then a server is started from it beside the living one, recovered, and asked; only that makes it "verified". One that fails is kept for inspection, and the exit status is 7.\n\n${verifyDetails}`,
  examples: [
    ['./manage.ts --action backup --instance client-a', 'take and prove'],
    ['./manage.ts backup all --quiet', 'for cron: silent unless something fails'],
    ['./manage.ts backup client-a --no-verify', 'take it only; prove it later with verify-backup'],
    ['./manage.ts backup client-a --verify-sql sums.sql', 'and ask your own invariants of the test restore'],
  ],
  options: {
    'backup-name': { type: 'string', alias: 'b', describe: 'its name (default: the time, as 20261121T101500Z)' },
    label: { type: 'string', describe: 'a note kept with it' },
    compress: {
      type: 'string',
      choices: codecs,
      describe: 'default: zstd or lz4 where server and machine can, else gzip',
    },
    'max-rate': { type: 'string', describe: 'read no faster than this: kilobytes a second, or as 20M' },
    pin: { type: 'boolean', describe: 'keep it for good: retention never removes it' },
    verify: { type: 'boolean', describe: 'use --no-verify to leave it unproven' },
    ...verifyOptions,
    ...pingOption,
  },
  target: 'existing',
  pings: true,
  lock: 'shared',
  changes: true,
  check({ 'backup-name': id, 'max-rate': rate }) {
    if (id !== undefined) parseBackupId(id);
    if (rate !== undefined) parseRate(rate);
  },
  async run(context, name, given) {
    const { record } = openRunning(context, name);
    const id = given['backup-name'] === undefined ? timestampId() : parseBackupId(given['backup-name']);
    const how = readVerifyOptions(context, given);
    if (context.dryRun) return { data: { id }, text: [{ line: `would take backup ${id} of ${name}` }] };
    const installation = await installationOf(context, record);
    const verify = given.verify !== false;
    const options = {
      id,
      label: given.label,
      maxRate: given['max-rate'],
      verify,
      codec: given.compress as Codec | undefined,
      pinned: given.pin === true,
    };
    const work = async (): Promise<Backup> => {
      // Killed after it was taken and before it was proven: only the proof is left to do.
      const earlier = hadFinished(context, 'backup') ? readBackup(context.places, record.name, id) : undefined;
      const taken = earlier ?? (await takeBackup(context, installation, record, options));
      return verify ? await verifyBackup(context, installation, taken, how) : taken;
    };
    const judged = await oneAtATime(context, record.name, work);
    if (verify) assertProven(judged);
    return {
      data: backupFields(judged),
      text: [
        {
          line: `${name}: backup ${judged.id} is ${judged.state} (${humanBytes(judged.sizeBytes)}, ${measured(judged)})`,
        },
      ],
    };
  },
});

/** One backup of an instance at a time, and few on the host. */
async function oneAtATime<T>(context: Context, name: string, work: () => Promise<T>): Promise<T> {
  return await context.withInstanceLock(
    `${name}+backup`,
    'exclusive',
    async () => await withSlot(context, 'backup', work),
  );
}

/** @throws USAGE */
function parseRate(text: string): void {
  const [, digits = '', unit = 'k'] = /^(\d+)([kM]?)$/.exec(text) ?? [];
  const kilobytes = Number(digits) * (unit === 'M' ? 1024 : 1);
  // pg_basebackup's own bounds.
  if (digits !== '' && kilobytes >= 32 && kilobytes <= 1024 * 1024) return;
  throw new AppError('USAGE', `--max-rate: "${text}" is not between 32k and 1024M`, { hint: 'for example: 20M' });
}

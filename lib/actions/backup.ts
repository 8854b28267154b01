import {
  type Backup,
  backupFields,
  listBackups,
  parseBackupId,
  readBackup,
  type Verification,
} from '../backups/catalogue.ts';
import { type DumpType, dumpTypes, listDumps } from '../backups/dumps/catalogue.ts';
import { codecs, type Codec } from '../postgres/codecs.ts';
import { withSlot } from '../backups/slots.ts';
import { claimName } from '../backups/machine-mark.ts';
import { takeBackup } from '../backups/take.ts';
import { assertProven, verifyBackup } from '../backups/verify.ts';
import { AppError } from '../errors.ts';
import { timestampId } from '../host/clock.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { sqlName } from '../databases/names.ts';
import { type Context, instanceAction } from './action.ts';
import type { InstanceName } from '../instances/names.ts';
import { backupDump, refuseOptions } from './backup-dump.ts';
import { hadFinished, installationOf, openRunning, pingOption } from './shared.ts';
import { measured, readVerifyOptions, verifyDetails, verifyOptions } from './verify-options.ts';

export const backup = instanceAction({
  name: 'backup',
  summary: 'take a backup and prove it by a test restore',
  details: `The backup is taken while the server works. Then a server is started from it beside the living one, recovered, and asked; only that makes it "verified". One that fails is kept for inspection, and the exit status is 7.\n\nWith another --backup-type than full, the databases are dumped by pg_dump with the roles (schema: definitions alone; data: rows alone; dump: both), and proven by restoring them into an empty server and counting. A dump leads to its own moment alone: only base backups protect an instance. The database postgres is dumped where it holds anything of yours.\n\n${verifyDetails}`,
  examples: [
    ['./manage.ts --action backup --instance client-a', 'take and prove'],
    ['./manage.ts backup all --quiet', 'for cron: silent unless something fails'],
    ['./manage.ts backup client-a --no-verify', 'take it only; prove it later with verify-backup'],
    ['./manage.ts backup client-a --verify-sql sums.sql', 'and ask your own invariants of the test restore'],
    ['./manage.ts backup client-a --backup-type dump', 'its databases and roles as a logical dump'],
  ],
  options: {
    'backup-name': { type: 'string', alias: 'b', describe: 'its name (default: the time, as 20261121T101500Z)' },
    'backup-type': { type: 'string', choices: ['full', ...dumpTypes], describe: 'full (default) is a base backup' },
    database: { type: 'string', alias: 'd', describe: 'dump this one alone (not with full)' },
    label: { type: 'string', describe: 'a note kept with it' },
    compress: {
      type: 'string',
      choices: codecs,
      describe: 'default: zstd or lz4 where server and machine can, else gzip',
    },
    'max-rate': { type: 'string', describe: 'read no faster than this: kilobytes a second, or as 20M' },
    pin: { type: 'boolean', describe: 'keep it for good: retention never removes it' },
    'take-over': { type: 'boolean', describe: 'where another machine that is lost has backed it up till now' },
    verify: { type: 'boolean', describe: 'use --no-verify to leave it unproven' },
    ...verifyOptions,
    ...pingOption,
  },
  target: 'existing',
  pings: true,
  lock: 'shared',
  changes: true,
  check(given) {
    const { 'backup-name': id, 'max-rate': rate, 'backup-type': type = 'full', database } = given;
    if (type === 'full') refuseOptions(given, ['database'], 'is for dumps: a base backup has all databases');
    else refuseOptions(given, ['compress', 'max-rate', 'level', 'verify-sql'], 'is for base backups');
    if (database !== undefined) sqlName('database', database);
    if (id !== undefined) parseBackupId(id);
    if (rate !== undefined) parseRate(rate);
  },
  async run(context, name, given) {
    const { record } = openRunning(context, name);
    const id = given['backup-name'] === undefined ? freeId(context, record.name) : parseBackupId(given['backup-name']);
    const how = readVerifyOptions(context, given);
    if (context.dryRun) return { data: { id }, text: [{ line: `would take backup ${id} of ${name}` }] };
    claimName(context, record.name, given['take-over'] === true);
    const verify = given.verify !== false;
    const { 'backup-type': type = 'full', database, label } = given;
    if (type !== 'full') {
      const wish = { id, type: type as DumpType, database, label, pinned: given.pin === true, verify };
      return await oneAtATime(context, record.name, async () => await backupDump(context, record, wish));
    }
    const installation = await installationOf(context, record);
    const options = {
      id,
      label,
      maxRate: given['max-rate'],
      verify,
      codec: given.compress as Codec | undefined,
      pinned: given.pin === true,
    };
    const work = async (): Promise<{ backup: Backup; found?: Verification }> => {
      // Killed after it was taken and before it was proven: only the proof is left to do.
      const earlier = hadFinished(context, 'backup') ? readBackup(context.places, record.name, id) : undefined;
      const taken = earlier ?? (await takeBackup(context, installation, record, options));
      return verify ? await verifyBackup(context, installation, taken, how) : { backup: taken };
    };
    const { backup: judged, found } = await oneAtATime(context, record.name, work);
    if (found !== undefined) assertProven({ backup: judged, found });
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

/** The moment; with a number behind it where another backup has been taken in this very second. */
function freeId({ places }: Context, name: InstanceName): string {
  const moment = timestampId();
  const taken = new Set([...listBackups(places, name), ...listDumps(places, name)].map(({ id }) => id));
  for (let count = 2, id = moment; ; id = `${moment}-${count++}`) if (!taken.has(id)) return id;
}

import { type Backup, listBackups, type Verification } from '../backups/catalogue.ts';
import { writeProof } from '../backups/proof.ts';
import { requireRepositoryName } from '../backups/repository.ts';
import { withSlot } from '../backups/slots.ts';
import { leadsTo, observeTimelines, timelineNow } from '../backups/timelines.ts';
import { failedOf, keepVerdict, tryOut } from '../backups/verify.ts';
import { AppError } from '../errors.ts';
import type { InstanceName } from '../instances/names.ts';
import { readRecord } from '../instances/record.ts';
import { lsnBytes, parseLsn } from '../postgres/lsn.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Context, instanceAction, type Outcome } from './action.ts';
import { installationOf, pingOption } from './shared.ts';
import { checkTable, readVerifyOptions, verifyOptions } from './verify-options.ts';

export const prove = instanceAction({
  name: 'prove',
  summary: 'restore the newest backup and all WAL since, beside',
  details:
    'Proves the archive, not just the backup: a server is started from the newest backup beside the living one, replays the archive to its end, and is asked everything that verify-backup --level full asks. Exit status 7 when it does not get there. The result is kept, and shown by status, check and diagnose.',
  examples: [
    ['./manage.ts --action prove --instance client-a', 'now'],
    ['./manage.ts prove all --quiet', 'for cron, weekly'],
  ],
  options: { 'verify-sql': verifyOptions['verify-sql'], ...pingOption },
  target: 'either',
  pings: true,
  lock: 'shared',
  changes: true,
  async run(context, instance, given) {
    const { places, dryRun } = context;
    const name = requireRepositoryName(places, instance);
    const backup = newestOfPresent(places, name);
    const how = readVerifyOptions(context, { ...given, level: 'full' });
    if (dryRun)
      return { data: { name, backupId: backup.id }, text: [{ line: `would restore ${backup.id} and all WAL since` }] };
    const installation = await installationOf(context, backup.instance);
    const found = await withSlot(context, 'prove', async () => {
      const tried = await tryOut(context, installation, backup, how);
      await keepVerdict(context, installation, { backup, found: tried, level: how.level });
      return tried;
    });
    const failed = failedOf(found.checks);
    const proof = proofOf(backup, found);
    writeProof(places, name, proof);
    if (!proof.ok) {
      throw new AppError('BACKUP_NOT_PROVEN', `${name}: ${proof.detail}`, {
        hint: `take a new backup: ./manage.ts --action backup --instance ${name}`,
        ...(failed.length > 1 ? { output: failed.map((check) => `${check.name}: ${check.detail}`).join('\n') } : {}),
        data: { name, ...proof, verification: found },
      });
    }
    return outcome(name, proof, found);
  },
});

/**
 * The newest backup of what the instance holds now: not of an earlier one of its name, nor of data that a restore has replaced.
 * @throws BACKUP_NOT_FOUND
 */
function newestOfPresent(places: Context['places'], name: InstanceName): Backup {
  const all = listBackups(places, name);
  const id = readRecord(places, name)?.id ?? all.at(-1)?.instance.id;
  const own = all.filter(({ instance, state }) => instance.id === id && state !== 'failed');
  const newest = own.at(-1);
  const hint = `take one with: ./manage.ts --action backup --instance ${name}`;
  if (newest === undefined)
    throw new AppError('BACKUP_NOT_FOUND', `instance ${name} has no backup to restore`, { hint });
  const timelines = observeTimelines(places, newest.instance, newest.segmentBytes);
  const timeline = timelineNow(own, timelines);
  const backup = own.findLast((one) => leadsTo(one, timeline, timelines.archive));
  if (backup !== undefined) return backup;
  throw new AppError('BACKUP_NOT_FOUND', `no backup of ${name} leads to timeline ${timeline}, which it is on`, {
    hint,
  });
}

type Proof = Parameters<typeof writeProof>[2];

function proofOf(backup: Backup, { state, verifiedAt, checks, recoveredToLsn, restoreSeconds }: Verification): Proof {
  const [first] = failedOf(checks);
  const replayed = recoveredToLsn === null ? 0n : lsnBytes(parseLsn(recoveredToLsn)) - lsnBytes(backup.stopLsn);
  const before = backup.verification?.level === 'full' ? null : (backup.verification?.restoreSeconds ?? null);
  return {
    schema: 1,
    instanceId: backup.instance.id,
    backupId: backup.id,
    at: verifiedAt,
    ok: state === 'verified',
    detail: first === undefined ? `restored to the end of the archive` : `${first.name}: ${first.detail}`,
    recoveredToLsn,
    // Only where the same backup was restored without its WAL can it be said how long the WAL takes.
    replayedBytes: before === null ? 0 : Number(replayed),
    replaySeconds: before === null ? 0 : Math.max(0, (restoreSeconds ?? before) - before),
  };
}

function outcome(name: string, proof: Proof, found: Verification): Outcome {
  const { backupId, recoveredToLsn, replayedBytes } = proof;
  const wal = replayedBytes > 0 ? ` and ${humanBytes(replayedBytes)} of WAL` : ' and its WAL';
  const line = `${name}: backup ${backupId}${wal} restored to ${recoveredToLsn}, the end of the archive, in ${found.restoreSeconds?.toFixed(1)} s`;
  return { data: { name, ...proof, verification: found }, text: [checkTable(found.checks), { line }] };
}

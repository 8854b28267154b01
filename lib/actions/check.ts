import { join } from 'node:path';
import { listBackups } from '../backups/catalogue.ts';
import { readEnded } from '../backups/ended.ts';
import { observeProtection } from '../backups/observe-protection.ts';
import { complaints, defaultMaxAgeSeconds } from '../backups/protection.ts';
import { checkArchive } from '../diagnosis/archive-check.ts';
import { AppError } from '../errors.ts';
import { exists } from '../host/files.ts';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import { requireRecord } from '../instances/record.ts';
import { instanceAction, type Outcome } from './action.ts';
import { moment } from './moment.ts';

export const check = instanceAction({
  name: 'check',
  summary: 'fail when an instance could not be brought back',
  details:
    'For cron and monitors. Exit status 7 when the newest verified backup is too old or there is none, when the archive has a gap, fails or lags behind, when it could not be proven, or when a damage alarm stands; also when an instance is gone of which the repository holds backups, unless it was destroyed. Changes nothing.',
  examples: [
    ['./manage.ts --action check --instance all --quiet', 'silent while all is well'],
    ['./manage.ts check client-a --max-age 50h', 'with backups every other day'],
  ],
  options: { 'max-age': { type: 'string', describe: 'of the newest verified backup: 90m, 26h (default), 8d' } },
  target: 'existing',
  alsoBackedUp: true,
  lock: 'none',
  changes: false,
  check: ({ 'max-age': text }) => void parseAge(text),
  async run({ places, task }, name, { 'max-age': text }) {
    if (!exists(instancePaths(places, name).folder)) return ofRepository(places, name);
    const record = requireRecord(places, name);
    const protection = observeProtection(places, name, record, parseAge(text));
    const archive = await checkArchive(places, record, task.signal);
    // A gap between segments is told with the moment it begins at.
    const told = protection.pointInTime.state === 'broken' ? 'WAL_GAP' : undefined;
    const problems = [
      ...complaints(protection),
      ...archive.filter(({ code }) => code !== told).map(({ cause }) => cause.replace(/\.$/, '')),
    ];
    const data = { name, problems, protection };
    if (problems.length > 0) {
      throw new AppError('NOT_PROTECTED', `${name} is not protected as it should be: ${problems[0]}`, {
        hint: `see everything with: ./manage.ts --action diagnose --instance ${name}`,
        ...(problems.length > 1 ? { output: problems.join('\n') } : {}),
        data,
      });
    }
    const hours = ((protection.verifiedAgeSeconds ?? 0) / 3600).toFixed(1);
    return {
      data,
      text: [{ line: `${name}: the newest verified backup is ${hours} h old, and the archive is whole` }],
    };
  },
});

/**
 * Of an instance that has no folder here: one that was taken away on purpose is missed by nobody.
 * @throws NOT_PROTECTED for one that was lost
 */
function ofRepository(places: Places, name: InstanceName): Outcome {
  const backups = listBackups(places, name);
  const ended = readEnded(places, name);
  const newest = backups.at(-1);
  if (ended !== undefined && (newest === undefined || newest.instance.id === ended.instanceId)) {
    const line = `${name} was taken away at ${moment(ended.at)}; the repository holds ${backups.length} backups of it`;
    return { data: { name, problems: [], endedAt: ended.at }, text: [{ line }] };
  }
  const verified = backups.findLast(({ state }) => state === 'verified');
  const held =
    verified === undefined ? 'no verified backup' : `its newest verified backup, of ${moment(verified.finishedAt)}`;
  throw new AppError('NOT_PROTECTED', `${name} is not there any more; the repository holds ${held}`, {
    hint:
      newest === undefined
        ? `nothing of it can be brought back; what the repository holds is in ${join(places.repository, name)}`
        : `bring it back with: ./manage.ts --action restore --instance ${name}`,
    data: { name, problems: ['the instance is gone'], lastVerifiedBackup: verified?.id ?? null },
  });
}

const unitSeconds = { m: 60, h: 3600, d: 86_400 } as const;

/** @throws USAGE */
function parseAge(text: string | undefined): number {
  if (text === undefined) return defaultMaxAgeSeconds;
  const [, count, unit] = /^(\d+(?:\.\d+)?)([mhd])$/.exec(text) ?? [];
  if (count !== undefined && Number(count) > 0) return Number(count) * unitSeconds[unit as keyof typeof unitSeconds];
  throw new AppError('USAGE', `"${text}" is no age`, { hint: 'write it as 90m, 26h or 8d' });
}

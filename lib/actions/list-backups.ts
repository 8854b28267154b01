import { type Backup, backupFields, listBackups as readBackups, unfinishedBackups } from '../backups/catalogue.ts';
import { readPresent } from '../backups/choose-restore.ts';
import { type Dump, dumpFields, listDumps } from '../backups/dumps/catalogue.ts';
import { observeProtection } from '../backups/observe-protection.ts';
import { requireRepositoryName } from '../backups/repository.ts';
import { restorePoints } from '../backups/restore-points.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { instanceAction } from './action.ts';
import { moment } from './moment.ts';

export const listBackups = instanceAction({
  name: 'list-backups',
  summary: 'the backups of an instance',
  details:
    'Base backups (full) and logical dumps (schema, data, dump), with restore points, and the WAL that is known to be missing since the newest one. Also of an instance that is destroyed or lost, as long as the repository is there. Measured in the test restore: how long it took to a server that answers, and how long after its commit a row was in the archive.',
  examples: [['./manage.ts --action list-backups --instance client-a', 'oldest first']],
  options: {},
  target: 'either',
  alsoBackedUp: true,
  lock: 'none',
  changes: false,
  async run({ places }, name) {
    const owner = requireRepositoryName(places, name);
    const backups = readBackups(places, owner);
    const writing = unfinishedBackups(places, owner).map((id) => ({ id, state: 'writing' as const }));
    const dumps = listDumps(places, owner);
    const all = [...backups, ...dumps].sort((a, b) => (a.finishedAt < b.finishedAt ? -1 : 1));
    const rows = [
      ...all.map((one) => [
        one.id,
        typeOf(one),
        one.pinned ? `${one.state}, pinned` : one.state,
        moment(one.finishedAt).slice(0, 16),
        humanBytes(one.sizeBytes),
        seconds(one.verification?.restoreSeconds),
        seconds(one.verification?.rpoSeconds),
      ]),
      ...writing.map(({ id, state }) => [id, 'full', state, '-', '-', '-', '-']),
    ];
    const empty = { line: `${owner} has no backups; take one with: ./manage.ts --action backup --instance ${owner}` };
    const record = readPresent(places, owner);
    const { pointInTime } = observeProtection(places, owner, record);
    const points = restorePoints(places, owner, record?.id ?? backups.at(-1)?.instance.id ?? '');
    const missing = pointInTime.gaps.map((gap) => ({ line: `missing from the archive: ${gap}` }));
    const named = points.map(({ name: point, at }) => ({ line: `restore point "${point}": ${moment(at)}` }));
    return {
      data: { name: owner, backups: [...all.map(fieldsOf), ...writing], restorePoints: points, pointInTime },
      text: [
        rows.length === 0
          ? empty
          : { head: ['backup', 'type', 'state', 'finished (UTC)', 'size', 'restore', 'safe in'], rows },
        ...named,
        ...missing,
      ],
    };
  },
});

function typeOf(one: Backup | Dump): string {
  return 'type' in one ? one.type : 'full';
}

function fieldsOf(one: Backup | Dump) {
  return 'type' in one ? dumpFields(one) : backupFields(one);
}

function seconds(value: number | null = null): string {
  return value === null ? '-' : `${value.toFixed(1)} s`;
}

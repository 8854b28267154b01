import { markEnded } from '../backups/ended.ts';
import { listBackups } from '../backups/catalogue.ts';
import { AppError } from '../errors.ts';
import { exists } from '../host/files.ts';
import { homeOf } from '../instances/home.ts';
import { instancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { releaseCluster } from '../instances/release.ts';
import { instanceAction } from './action.ts';
import { hadFinished, openInstance } from './shared.ts';
import { mayStandStill, standStill } from './standstill.ts';

export const release = instanceAction({
  name: 'release',
  summary: 'give an adopted cluster back',
  details:
    "Stops it and takes out of its configuration what adopt has put there; what you have written there since stays. The data stays where it is, Debian's start.conf says again what it said, and its own manager starts it, on the port that it has there. Its backups stay in the repository, its record and logs wait in quarantine.",
  examples: [
    ['./manage.ts --action release --instance shop', 'asks for the name to be typed; with --yes it does not ask'],
    ['./manage.ts release shop --dry-run', 'what would be done'],
  ],
  options: {},
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  async run(context, name) {
    const { places } = context;
    if (hadFinished(context, 'release') && !exists(instancePaths(places, name).folder)) {
      return { data: { name }, text: [{ line: `${name} is released` }] };
    }
    const { record, paths } = openInstance(context, name);
    assertReleasable(record);
    const { runs } = mayStandStill(context, record);
    const { data } = homeOf(places, paths);
    const start = startCommand(record, data);
    if (context.dryRun) {
      const first = `would ${runs ? 'stop' : 'take'} ${name} and give ${data} back; it is started then with: ${start}`;
      return { data: { name, dataDirectory: data, runs, start }, text: [{ line: first }] };
    }
    await context.dialogue.confirm(`This ${runs ? 'stops' : 'takes'} ${name} and gives ${data} back`, name);
    if (runs) await standStill(context, record);
    const released = releaseCluster(context, record);
    markEnded(places, record.name, record.id);
    const backups = listBackups(places, name).length;
    const lines = [
      `${name} is released: its data is in ${released.data}; start it with: ${start}`,
      `its record, its logs and its configuration as it was here wait in ${released.quarantine}`,
      backups === 0
        ? 'it has no backups'
        : `its backups (${backups}) stay in the repository: ./manage.ts list-backups ${name}`,
    ];
    return {
      data: { name, dataDirectory: released.data, quarantine: released.quarantine, backups, start },
      text: lines.map((line) => ({ line })),
    };
  },
});

/** @throws USAGE */
function assertReleasable({ name, adopted, pooler, archive }: InstanceRecord): void {
  if (adopted === undefined) {
    throw new AppError('USAGE', `${name} was not adopted, so there is nobody to give it back to`, {
      hint: `its data is a plain data directory: ./manage.ts status ${name} says where; destroy moves it to quarantine`,
    });
  }
  if (archive === 'streaming') {
    throw new AppError('USAGE', `${name} has a receiver of this tool's`, {
      hint: `take it away first, while it runs: ./manage.ts tune ${name} --archive command --apply`,
    });
  }
  if (pooler === undefined) return;
  throw new AppError('USAGE', `${name} has a pooler of this tool's`, {
    hint: `take it away first, while it runs: ./manage.ts pooler ${name} --off`,
  });
}

/** What to type to start it by its own manager. */
function startCommand({ adopted, bindir }: InstanceRecord, data: string): string {
  const cluster = adopted?.cluster;
  return cluster === undefined
    ? `${bindir}/pg_ctl -D ${data} start`
    : `pg_ctlcluster ${cluster.version} ${cluster.name} start`;
}

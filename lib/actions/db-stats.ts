import { type DatabaseStats, databaseStats } from '../databases/stats.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { instanceAction, type Text } from './action.ts';
import { moment } from './moment.ts';
import { openRunning, withSuperuser } from './shared.ts';

export const dbStats = instanceAction({
  name: 'db-stats',
  summary: 'how a database is used',
  details: 'Its size, its largest tables, and what its sessions did since its counters were last reset.',
  examples: [
    ['./manage.ts --action db-stats --instance client-a', "of the instance's own database"],
    ['./manage.ts db-stats client-a -d reports --json', 'of another, for scripts'],
  ],
  options: { database: { type: 'string', alias: 'd', describe: "instead of the instance's own" } },
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name, given) {
    const opened = openRunning(context, name);
    const database = given.database ?? opened.record.database;
    const stats = await withSuperuser(context, opened, async (client) => databaseStats(client), database);
    return { data: { name, ...stats }, text: page(stats) };
  },
});

function page(stats: DatabaseStats): Text[] {
  const { cacheHitRatio, oldestTransactionSeconds: oldest, largest } = stats;
  const fields: [string, string][] = [
    ['database', stats.database],
    ['size', humanBytes(stats.sizeBytes)],
    ['tables', String(stats.tables)],
    ['connections', String(stats.connections)],
    ['transactions', `${stats.commits} committed, ${stats.rollbacks} rolled back, ${stats.deadlocks} deadlocks`],
    ['read from memory', cacheHitRatio === null ? '-' : `${(cacheHitRatio * 100).toFixed(1)} %`],
    ['spilled to disk', humanBytes(stats.temporaryBytes)],
    ['oldest open', oldest === null ? 'no transaction' : `a transaction of ${Math.round(oldest)} s`],
    ...(stats.statsSince === null
      ? []
      : [['counted since', moment(stats.statsSince.toISOString())] as [string, string]]),
  ];
  if (largest.length === 0) return [{ fields }];
  return [
    { fields },
    { line: '' },
    {
      head: ['table', 'size', 'indexes', 'rows', 'dead', 'last vacuum'],
      rows: largest.map((one) => [
        one.table,
        humanBytes(one.totalBytes),
        humanBytes(one.indexBytes),
        String(one.rows),
        String(one.deadRows),
        one.lastVacuumAt === null ? 'never' : moment(one.lastVacuumAt.toISOString()),
      ]),
    },
  ];
}

import { lastBackups } from '../backups/summary.ts';
import { exitStatus } from '../errors.ts';
import { asSuperuser } from '../instances/connection.ts';
import { instancePaths } from '../instances/places.ts';
import { readRecord } from '../instances/record.ts';
import { type Summary, summarize } from '../instances/summary.ts';
import { withClient } from '../postgres/sql.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Context, instanceAction, type Text } from './action.ts';
import { moment } from './shared.ts';

interface Connections {
  used: number;
  max: number;
}

export const status = instanceAction({
  name: 'status',
  summary: 'how an instance is',
  details:
    'Exit status 0 when it runs, 3 when it is stopped, starting, crashed or broken, 4 when there is no such instance.',
  examples: [
    ['./manage.ts --action status --instance client-a', 'one of them'],
    ['./manage.ts status all --json', 'all of them, for scripts'],
  ],
  options: {},
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name) {
    const summary = summarize(context, name);
    const record = summary.state === 'creating' ? undefined : tryRecord(context, summary);
    const connections =
      summary.state === 'running' && record ? await countConnections(context, summary, record.port) : undefined;
    const max = record?.maxConnections ?? null;
    const data = {
      ...summary,
      connections: { used: connections?.used ?? null, max: connections?.max ?? max },
      memory: { committedBytes: record?.committedBytes ?? null },
      ...lastBackups(context.places, name),
    };
    return {
      data,
      text: [page(data)],
      exitCode: summary.state === 'running' ? exitStatus.done : exitStatus.notRunning,
    };
  },
});

function tryRecord({ places }: Context, { name, state }: Summary) {
  try {
    return readRecord(places, name as never);
  } catch (error) {
    if (state === 'broken') return undefined;
    throw error;
  }
}

/** Over the socket as the superuser, for whom slots are kept when clients have taken all others. */
async function countConnections(
  { places, task }: Context,
  { name }: Summary,
  port: number,
): Promise<Connections | undefined> {
  const address = asSuperuser(instancePaths(places, name as never), { port: port as never });
  try {
    return await withClient({ ...address, signal: task.signal, timeoutMs: 3000 }, async (client) => {
      const { rows } = await client.query<Connections>(
        `select count(*) filter (where backend_type = 'client backend' and pid <> pg_backend_pid())::int as used,
                current_setting('max_connections')::int as max
           from pg_stat_activity`,
      );
      return rows[0];
    });
  } catch (error) {
    task.signal.throwIfAborted();
    task.warn(`${name} does not answer: ${(error as Error).message}`);
    return undefined;
  }
}

function page(
  data: Summary & {
    connections: { used: number | null; max: number | null };
    memory: { committedBytes: number | null };
  } & ReturnType<typeof lastBackups>,
): Text {
  const { lastBackup, lastVerifiedBackup, connections, memory } = data;
  const fields: [string, string][] = [
    ['instance', data.name],
    ['state', data.state],
    ...(data.message === null ? [] : [['why', data.message] as [string, string]]),
    ['port', String(data.port ?? '-')],
    ['version', data.version === null ? '-' : `PostgreSQL ${data.version}`],
    ['template', data.template ?? '-'],
    ['connections', `${connections.used ?? '-'} of ${connections.max ?? '-'}`],
    ['memory', memory.committedBytes === null ? '-' : `${humanBytes(memory.committedBytes)} committed`],
    ['last backup', lastBackup ? `${lastBackup.id}, ${lastBackup.state}` : 'none'],
    [
      'last verified',
      lastVerifiedBackup
        ? `${lastVerifiedBackup.id}, at ${moment(lastVerifiedBackup.verifiedAt)}, restores in ${lastVerifiedBackup.restoreSeconds?.toFixed(1)} s`
        : 'none: no backup has been proven yet',
    ],
    ['data', data.dataDirectory],
  ];
  return { fields };
}

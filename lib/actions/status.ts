import { observeProtection } from '../backups/observe-protection.ts';
import type { Protection } from '../backups/protection.ts';
import { lastBackups } from '../backups/summary.ts';
import { exitStatus } from '../errors.ts';
import { asSuperuser } from '../instances/connection.ts';
import { instancePaths } from '../instances/places.ts';
import { type InstanceRecord, readRecord } from '../instances/record.ts';
import { type Summary, summarize } from '../instances/summary.ts';
import { notDurable } from '../instances/own-settings.ts';
import { withClient } from '../postgres/sql.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Context, instanceAction, type Text } from './action.ts';
import { protectionLines } from './protection-text.ts';
import { moment } from './shared.ts';

interface ClientGroup {
  user: string;
  application: string;
  state: string;
  count: number;
}

interface Memory {
  committedBytes: number | null;
  stressBytes: number | null;
  overcommit: boolean;
}

interface Connections {
  used: number;
  max: number;
  /** Sessions that are alike, the most first. */
  clients: ClientGroup[];
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
    const seen = summarize(context, name);
    const record = seen.state === 'creating' ? undefined : tryRecord(context, seen);
    const asked = seen.state === 'running' && record ? await askConnections(context, record) : undefined;
    // A server that is there and does not answer is no running one.
    const summary: Summary = typeof asked === 'string' ? { ...seen, state: 'starting', message: asked } : seen;
    const connections = typeof asked === 'object' ? asked : undefined;
    const data = {
      ...summary,
      connections: { used: connections?.used ?? null, max: connections?.max ?? record?.maxConnections ?? null },
      clients: connections?.clients ?? [],
      memory: {
        committedBytes: record?.committedBytes ?? null,
        stressBytes: record?.stressBytes ?? null,
        overcommit: record?.overcommit ?? false,
      },
      /** The settings by which a crash may lose data. */
      notDurable: record === undefined ? [] : notDurable(instancePaths(context.places, record.name)),
      ...lastBackups(context.places, name),
      protection: observeProtection(context.places, name, record),
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

/** A server that has not said anything for so long is told as one that does not answer, in milliseconds. */
const patienceMs = 2000;

/**
 * Who is connected; asked over the socket as the superuser, for whom slots are kept when clients have taken all others.
 * @returns why there is no answer, where there is none
 */
async function askConnections({ places, task }: Context, record: InstanceRecord): Promise<Connections | string> {
  const address = asSuperuser(instancePaths(places, record.name), record);
  try {
    return await withClient({ ...address, signal: task.signal, timeoutMs: patienceMs }, async (client) => {
      const { rows } = await client.query<Connections>(
        `with clients as (
           select usename as user, application_name as application, state, count(*)::int as count
             from pg_stat_activity
            where backend_type = 'client backend' and pid <> pg_backend_pid()
            group by 1, 2, 3 order by 4 desc
         )
         select coalesce(sum(count), 0)::int as used, current_setting('max_connections')::int as max,
                coalesce(json_agg(clients), '[]') as clients
           from clients`,
      );
      return rows[0] ?? 'its list of sessions is empty';
    });
  } catch (error) {
    task.signal.throwIfAborted();
    return `its process lives, but does not answer: ${(error as Error).message}`;
  }
}

function page(
  data: Summary & {
    connections: { used: number | null; max: number | null };
    clients: ClientGroup[];
    memory: Memory;
    notDurable: string[];
    protection: Protection;
  } & ReturnType<typeof lastBackups>,
): Text {
  const { lastBackup, lastVerifiedBackup, memory } = data;
  const fields: [string, string][] = [
    ['instance', data.name],
    ['state', data.state],
    ...(data.message === null ? [] : [['why', data.message] as [string, string]]),
    ['port', String(data.port ?? '-')],
    ['version', data.version === null ? '-' : `PostgreSQL ${data.version}`],
    ['template', data.template ?? '-'],
    ['connections', connectionLine(data)],
    ['memory', memoryLine(memory)],
    ...(data.notDurable.length === 0
      ? []
      : [['durability', `given up: ${data.notDurable.join(', ')} off; a crash may lose the data`] as [string, string]]),
    ['last backup', lastBackup ? `${lastBackup.id}, ${lastBackup.state}` : 'none'],
    [
      'last verified',
      lastVerifiedBackup
        ? `${lastVerifiedBackup.id}, at ${moment(lastVerifiedBackup.verifiedAt)}, restores in ${lastVerifiedBackup.restoreSeconds?.toFixed(1)} s${safeAfter(lastVerifiedBackup)}`
        : 'none: no backup has been proven yet',
    ],
    ...protectionLines(data.protection),
    ['data', data.dataDirectory],
  ];
  return { fields };
}

function safeAfter({ rpoSeconds }: { rpoSeconds: number | null }): string {
  return rpoSeconds === null ? '' : `, a commit was safe after ${rpoSeconds.toFixed(1)} s`;
}

function memoryLine({ committedBytes, stressBytes, overcommit }: Memory): string {
  if (committedBytes === null) return '-';
  const stress = stressBytes === null ? '' : `, ${humanBytes(stressBytes)} under stress`;
  return `${humanBytes(committedBytes)} committed${stress}${overcommit ? '; may pass the budget (--overcommit)' : ''}`;
}

/** Used and possible, and who has them where they run short (pgmonitor's threshold of 75 %). */
function connectionLine({
  connections,
  clients,
}: {
  connections: { used: number | null; max: number | null };
  clients: ClientGroup[];
}): string {
  const { used, max } = connections;
  const line = `${used ?? '-'} of ${max ?? '-'}`;
  if (used === null || max === null || used < max * 0.75) return line;
  const who = clients
    .slice(0, 3)
    .map(
      ({ user, application, state, count }) => `${count} ${state} of ${user}${application ? ` (${application})` : ''}`,
    );
  return [line, ...who].join('\n');
}

import { type Archiving, type ArchiverWords, askArchiver, observeArchiving } from '../backups/archiving.ts';
import { observeProtection } from '../backups/observe-protection.ts';
import { complaints, type Protection } from '../backups/protection.ts';
import { lastBackups } from '../backups/summary.ts';
import { askConnections } from '../diagnosis/connection-facts.ts';
import { type ConnectionFacts, judgeConnections, judgeIdle } from '../diagnosis/connections.ts';
import { judgePooler } from '../diagnosis/pooler.ts';
import { judgeReceiver } from '../diagnosis/receiver.ts';
import { exitStatus } from '../errors.ts';
import { linkTarget } from '../host/links.ts';
import { asSuperuser } from '../instances/connection.ts';
import { instancePaths } from '../instances/places.ts';
import { type InstanceRecord, readRecord } from '../instances/record.ts';
import { stoppingMessage } from '../instances/state.ts';
import { type Summary, summarize } from '../instances/summary.ts';
import { notDurable } from '../instances/own-settings.ts';
import { type ObservedPooler, observePooler } from '../pooler/observe.ts';
import { type ObservedReceiver, observeReceiver } from '../receiver/observe.ts';
import { type Scheduled, scheduledFor } from '../schedule/known.ts';
import { withClient } from '../postgres/sql.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Context, instanceAction, type Text } from './action.ts';
import { protectionLines } from './protection-text.ts';
import { moment } from './moment.ts';
import { type Activity, askActivity, type Disk, observeDisk } from './status-facts.ts';
import {
  activityLine,
  connectionLines,
  diskLine,
  poolerLine,
  receiverLine,
  safeAfter,
  scheduledLine,
  type Sessions,
} from './status-text.ts';

interface Memory {
  committedBytes: number | null;
  stressBytes: number | null;
  overcommit: boolean;
}

/** What a running server says of its sessions and its archiving, or why it says nothing. */
type Asked = (ConnectionFacts & { archiver: ArchiverWords | undefined; activity: Activity }) | string;

export const status = instanceAction({
  name: 'status',
  summary: 'how an instance is',
  details:
    'Exit status 0 when it runs, 3 when it is stopped, starting, crashed or broken, 4 when there is no such instance.',
  examples: [
    ['./manage.ts --action status --instance client-a', 'one of them'],
    ['./manage.ts status all', 'all of them, a line each'],
    ['./manage.ts status all --json', 'with all there is to know, for scripts'],
  ],
  options: {},
  target: 'existing',
  lock: 'none',
  changes: false,
  async run(context, name) {
    const seen = summarize(context, name);
    const record = seen.state === 'creating' ? undefined : tryRecord(context, seen);
    // Where record and disk disagree, what is on the disk may not be there, or not be ours to read.
    const sound = seen.state === 'broken' ? undefined : record;
    const asked = seen.state === 'running' && record ? await ask(context, record) : undefined;
    // A server that is there and does not answer is no running one.
    const stopping = seen.message === stoppingMessage;
    const summary: Summary =
      typeof asked === 'string' && !stopping ? { ...seen, state: 'starting', message: asked } : seen;
    const facts = typeof asked === 'object' ? asked : undefined;
    const receiver = record ? observeReceiver(context.places, record, seen.state, facts?.archiver?.stream) : null;
    const pooler = record ? await observePooler(context.places, record, seen.state, context.task.signal) : null;
    for (const { code, severity, cause, remedy } of [
      ...(facts === undefined ? [] : [...judgeConnections(facts), ...judgeIdle(facts)]),
      ...judgePooler(name, pooler),
      // A server that was not asked has not said whether anybody receives.
      ...(facts === undefined ? [] : judgeReceiver(name, receiver)),
    ]) {
      if (severity !== 'info') context.task.warn(`${code}: ${cause} ${remedy}`);
    }
    const data = {
      ...summary,
      connections: {
        used: facts?.used ?? null,
        max: facts?.max ?? record?.maxConnections ?? null,
        reserved: facts?.reserved ?? null,
      },
      activity: facts?.activity ?? null,
      clients: facts?.clients ?? [],
      idleInTransaction: facts?.idle ?? [],
      pooler,
      memory: {
        committedBytes: record?.committedBytes ?? null,
        stressBytes: record?.stressBytes ?? null,
        overcommit: record?.overcommit ?? false,
      },
      disk: sound === undefined || context.several ? null : observeDisk(context.places, sound),
      /** The settings by which a crash may lose data. */
      notDurable: sound === undefined ? [] : notDurable(instancePaths(context.places, sound.name)),
      archive: sound === undefined ? null : observeArchiving(context.places, sound, facts?.archiver),
      receiver,
      ...lastBackups(context.places, name),
      protection: observeProtection(context.places, name, sound),
      scheduled: scheduledFor(context.places, name),
    };
    return {
      data,
      text: [context.several ? row(data) : page(data)],
      exitCode: summary.state === 'running' && !stopping ? exitStatus.done : exitStatus.notRunning,
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
async function ask({ places, task, several, live }: Context, record: InstanceRecord): Promise<Asked> {
  const { name, pooler } = record;
  const address = asSuperuser(instancePaths(places, name), record);
  try {
    return await withClient({ ...address, signal: task.signal, timeoutMs: patienceMs }, async (client) => {
      const archiver = await askArchiver(client);
      const connections = await askConnections(client);
      // Somebody who looks at one at a terminal has the second that a rate takes; scripts and lists have not.
      const activity = await askActivity(client, live.draw !== undefined && !several, task.signal);
      return { name, address, hasPooler: pooler !== undefined, ...connections, archiver, activity };
    });
  } catch (error) {
    task.signal.throwIfAborted();
    return `its process lives, but does not answer: ${(error as Error).message}`;
  }
}

type Page = Summary &
  Sessions & {
    pooler: ObservedPooler | null;
    receiver: ObservedReceiver | null;
    memory: Memory;
    notDurable: string[];
    activity: Activity | null;
    disk: Disk | null;
    scheduled: Scheduled;
    archive: Archiving | null;
    protection: Protection;
  } & ReturnType<typeof lastBackups>;

/** One of several, in a table: what must be seen, and what is wrong. */
function row({ name, state, port, connections, memory, lastVerifiedBackup, message, protection }: Page): Text {
  const wrong = [message, ...complaints({ ...protection, stale: protection.stale && lastVerifiedBackup !== null })];
  return {
    joins: true,
    head: ['instance', 'state', 'port', 'conn', 'committed', 'verified (UTC)', 'what is wrong'],
    rows: [
      [
        name,
        state,
        String(port ?? '-'),
        `${connections.used ?? '-'}/${connections.max ?? '-'}`,
        memory.committedBytes === null ? '-' : humanBytes(memory.committedBytes),
        lastVerifiedBackup ? moment(lastVerifiedBackup.verifiedAt).slice(0, 16) : 'never',
        wrong.filter((words) => words !== null).join('; '),
      ],
    ],
  };
}

function page(data: Page): Text {
  const { lastBackup, lastVerifiedBackup, memory } = data;
  const fields: [string, string][] = [
    ['instance', data.name],
    ['state', data.state],
    ...(data.message === null ? [] : [['why', data.message] as [string, string]]),
    ['port', String(data.port ?? '-')],
    ['version', data.version === null ? '-' : `PostgreSQL ${data.version}`],
    ['template', data.template ?? '-'],
    ...(data.activity === null ? [] : [['up', activityLine(data.activity)] as [string, string]]),
    ['connections', connectionLines(data)],
    ...(data.pooler === null ? [] : [['pooler', poolerLine(data.pooler)] as [string, string]]),
    ['memory', memoryLine(memory)],
    ...(data.disk === null ? [] : [['disk', diskLine(data.disk)] as [string, string]]),
    ...(data.notDurable.length === 0
      ? []
      : [['durability', `given up: ${data.notDurable.join(', ')} off; a crash may lose the data`] as [string, string]]),
    ['archive', archiveLine(data.archive)],
    ...(data.receiver === null ? [] : [['receiver', receiverLine(data.receiver)] as [string, string]]),
    ['last backup', lastBackup ? `${lastBackup.id}, ${lastBackup.state}` : 'none'],
    [
      'last verified',
      lastVerifiedBackup
        ? `${lastVerifiedBackup.id}, at ${moment(lastVerifiedBackup.verifiedAt)}\nrestores in ${lastVerifiedBackup.restoreSeconds?.toFixed(1)} s${safeAfter(lastVerifiedBackup)}`
        : 'none: no backup has been proven yet',
    ],
    ...protectionLines(data.protection),
    ['scheduled', scheduledLine(data.scheduled)],
    ['data', dataLine(data)],
  ];
  return { fields };
}

/** A link leads to data on another disk; of a broken instance it may not be ours to look. */
function dataLine({ dataDirectory, state }: Pick<Summary, 'dataDirectory' | 'state'>): string {
  const elsewhere = state === 'broken' ? undefined : linkTarget(dataDirectory);
  return elsewhere === undefined ? dataDirectory : `${elsewhere} (by ${dataDirectory})`;
}

function archiveLine(archive: Archiving | null): string {
  if (archive === null || archive.failures === null) return '-';
  const { lagBytes, waiting, failures, lastFailedAt, lastArchivedAt } = archive;
  const failing = lastFailedAt !== null && lastFailedAt > (lastArchivedAt ?? '');
  const trouble = failing ? `; failing, ${failures} times, last at ${moment(lastFailedAt)}` : '';
  const behind = lagBytes === null ? 'nothing yet on this timeline' : `${humanBytes(lagBytes)} behind`;
  return `${behind}, ${waiting} files waiting${trouble}`;
}

function memoryLine({ committedBytes, stressBytes, overcommit }: Memory): string {
  if (committedBytes === null) return '-';
  const stress = stressBytes === null ? '' : `, ${humanBytes(stressBytes)} under stress`;
  return `${humanBytes(committedBytes)} committed${stress}${overcommit ? '; may pass the budget (--overcommit)' : ''}`;
}

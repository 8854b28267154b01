import { type Clients, describeIdle, type IdleSession } from '../diagnosis/connections.ts';
import { humanAge } from '../diagnosis/finding.ts';
import { nowMs } from '../host/clock.ts';
import type { ObservedPooler } from '../pooler/observe.ts';
import type { ObservedReceiver } from '../receiver/observe.ts';
import type { Scheduled } from '../schedule/known.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { moment } from './moment.ts';
import type { Activity, Disk } from './status-facts.ts';

/** What status tells of a server's sessions; null where it was not asked. */
export interface Sessions {
  connections: { used: number | null; max: number | null; reserved: number | null };
  clients: readonly Clients[];
  idleInTransaction: readonly IdleSession[];
}

/** How many sessions are told of one by one; the rest is in --json. */
const mostLines = 5;

/** Used and possible, who has them, and who holds one without using it. */
export function connectionLines({ connections, clients, idleInTransaction }: Sessions): string {
  const { used, max, reserved } = connections;
  const kept = reserved === null ? '' : `, ${reserved} of them reserved`;
  const idle = idleInTransaction.slice(0, mostLines).map((one) => `idle in transaction: ${describeIdle(one)}`);
  const more = Math.max(0, clients.length - mostLines);
  return [
    `${used ?? '-'} of ${max ?? '-'}${kept}`,
    ...clients.slice(0, mostLines).map(sessionsLine),
    ...(more === 0 ? [] : [`and ${more} more groups`]),
    ...idle,
  ].join('\n');
}

function sessionsLine({ user, application, state, count, oldestSeconds }: Clients): string {
  const who = application === '' ? user : `${user} (${application})`;
  return `${count} ${state} of ${who}, up to ${humanAge(oldestSeconds * 1000)}`;
}

export function activityLine({ startedAt, transactionsPerSecond, cacheHitRatio }: Activity): string {
  const since = `since ${moment(startedAt)} (${humanAge(nowMs() - Date.parse(startedAt))})`;
  const rate = transactionsPerSecond === null ? [] : [`${transactionsPerSecond.toFixed(1)} transactions/s`];
  const hits = cacheHitRatio === null ? [] : [`${(cacheHitRatio * 100).toFixed(1)} % of blocks from memory`];
  return [since, [...rate, ...hits].join(', ')].filter((line) => line !== '').join('\n');
}

export function diskLine({ dataBytes, walBytes, archiveBytes, backupsBytes, freeBytes }: Disk): string {
  const sizes = [`data ${humanBytes(dataBytes)}`, `WAL ${humanBytes(walBytes)}`, `archive ${humanBytes(archiveBytes)}`];
  return `${sizes.join(', ')}, backups ${humanBytes(backupsBytes)}\n${humanBytes(freeBytes)} free`;
}

/** What cron or systemd do to it. */
export function scheduledLine({ jobs, autostart }: Scheduled): string {
  const known = jobs.map(
    ({ name, lastBegunAt }) => `${name}, ${lastBegunAt ? `last ${moment(lastBegunAt)}` : 'not run yet'}`,
  );
  return [...known, ...(autostart ? ['comes back with the machine'] : [])].join('\n') || 'nothing';
}

export function poolerLine({ port, state, mode, load }: ObservedPooler): string {
  const line = `${state}, port ${port}, ${mode ?? '-'} mode`;
  if (load === null) return line;
  const { clients, servers } = load;
  return `${line}\n${clients.active} clients served, ${clients.waiting} waiting; ${servers.active + servers.idle} connections to the server`;
}

export function receiverLine({ state, lagBytes, keptBytes, capBytes }: ObservedReceiver): string {
  const behind = lagBytes === null ? '' : `, ${humanBytes(lagBytes)} behind`;
  const most = capBytes === null ? 'without a limit' : `of at most ${humanBytes(capBytes)}`;
  return `${state}${behind}${keptBytes === null ? '' : `; its slot keeps ${humanBytes(keptBytes)} ${most}`}`;
}

/** How long it took until a commit was in the repository. */
export function safeAfter({ rpoSeconds }: { rpoSeconds: number | null }): string {
  if (rpoSeconds === null) return '';
  return `, a commit was safe after ${rpoSeconds < 1 ? `${Math.round(rpoSeconds * 1000)} ms` : `${rpoSeconds.toFixed(1)} s`}`;
}

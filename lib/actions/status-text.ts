import { type Clients, describeIdle, type IdleSession } from '../diagnosis/connections.ts';
import { humanAge } from '../diagnosis/finding.ts';
import type { ObservedPooler } from '../pooler/observe.ts';

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

export function poolerLine({ port, state, mode, load }: ObservedPooler): string {
  const line = `${state}, port ${port}, ${mode ?? '-'} mode`;
  if (load === null) return line;
  const { clients, servers } = load;
  return `${line}\n${clients.active} clients served, ${clients.waiting} waiting; ${servers.active + servers.idle} connections to the server`;
}

import { identifier } from '../postgres/sql.ts';
import { backendBytes } from '../tuning/memory.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Finding, humanAge, manage, minuteMs, quoted } from './finding.ts';

/** Sessions of one role and application that are in the same state. */
export interface Clients {
  user: string;
  application: string;
  /** As pg_stat_activity calls it. */
  state: string;
  count: number;
  /** How long the longest of them has been so. */
  oldestSeconds: number;
}

export interface IdleSession {
  pid: number;
  user: string;
  application: string;
  seconds: number;
}

/** Who has a server's connections. */
export interface ConnectionFacts {
  name: string;
  /** How to reach it, as psql takes it. */
  address: { host: string; port: number };
  used: number;
  max: number;
  /** Slots that only superusers and some roles may take. */
  reserved: number;
  /** idle_in_transaction_session_timeout; 0 where it is off. */
  idleLimitMs: number;
  hasPooler: boolean;
  /** Who has the connections, the most first. */
  clients: readonly Clients[];
  /** Sessions that keep a transaction open and do nothing, the longest first. */
  idle: readonly IdleSession[];
}

/** At 75 % of what clients may have there is something to be done, at 90 % soon (pgmonitor's thresholds). */
export function judgeConnections(facts: ConnectionFacts): Finding[] {
  const { name, used, max, reserved } = facts;
  const slots = Math.max(1, max - reserved);
  const share = used / slots;
  if (share < 0.75) return [];
  const cause =
    `${used} of the ${slots} connections that clients may have are taken (${Math.floor(share * 100)} %): ` +
    `${facts.clients.slice(0, 3).map(describeClients).join(', ')}; ${raise(max)}.`;
  const severity = share >= 0.9 ? 'critical' : 'warning';
  return [{ code: 'CONNECTIONS_HIGH', severity, subject: name, cause, remedy: remedyFor(facts) }];
}

/** Sessions that are alike, in words. */
export function describeClients({ user, application, state, count, oldestSeconds }: Clients): string {
  const what = application === '' ? '' : ` (${application})`;
  return `${count} by ${user}${what}, ${state} for up to ${humanAge(oldestSeconds * 1000)}`;
}

/** What more connections would cost, half as many again. */
function raise(max: number): string {
  const more = Math.ceil(max / 2);
  return `raising max_connections by ${more} would commit ${humanBytes(more * backendBytes)} more`;
}

/**
 * The cheapest way out: where forgotten transactions hold a quarter of it, ending those sooner; else a pooler; else, where
 * there is one already, more connections.
 */
function remedyFor({ name, address, used, max, idle, idleLimitMs, hasPooler }: ConnectionFacts): string {
  const [longest] = idle;
  if (longest !== undefined && idle.length * 4 >= used && (idleLimitMs === 0 || idleLimitMs > minuteMs)) {
    const role = identifier(longest.user);
    return psql(address, `alter role ${role} set idle_in_transaction_session_timeout = ${minuteMs}`);
  }
  if (!hasPooler) return manage('pooler', name);
  const more = manage('tune', name, `--max-connections ${max + Math.ceil(max / 2)} --apply`);
  return `${more} && ${manage('restart', name)}`;
}

const idleTooLongSeconds = (5 * minuteMs) / 1000;

export function judgeIdle({ name, idle, idleLimitMs, address }: ConnectionFacts): Finding[] {
  const late = idle.filter(({ seconds }) => seconds > idleTooLongSeconds).toSorted((a, b) => b.seconds - a.seconds);
  const [worst] = late;
  if (worst === undefined) return [];
  const many =
    late.length === 1 ? 'one session keeps a transaction open' : `${late.length} sessions keep transactions open`;
  const limit = idleLimitMs === 0 ? 'never ends them' : `ends them after ${humanAge(idleLimitMs)}`;
  return [
    {
      code: 'IDLE_IN_TRANSACTION',
      severity: 'warning',
      subject: name,
      cause:
        `${many} and idle: ${late.slice(0, 3).map(describeIdle).join(', ')}; vacuum and locks wait for it, ` +
        `and idle_in_transaction_session_timeout ${limit}.`,
      remedy: psql(address, `select pg_terminate_backend(${worst.pid})`),
    },
  ];
}

export function describeIdle({ pid, user, application, seconds }: IdleSession): string {
  return `process ${pid} of ${user}${application && ` (${application})`} for ${humanAge(seconds * 1000)}`;
}

export function psql({ host, port }: ConnectionFacts['address'], sql: string): string {
  return `psql -h ${quoted(host)} -p ${port} -U postgres -d postgres -c '${sql}'`;
}

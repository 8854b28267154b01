import { humanAge, type Finding, manage, minuteMs, plural, quoted } from './finding.ts';

/** Sessions of one role and application. */
export interface Clients {
  user: string;
  application: string;
  count: number;
}

export interface IdleSession {
  pid: number;
  user: string;
  application: string;
  seconds: number;
}

/** What a running server says of itself. */
export interface ServerFacts {
  name: string;
  /** How to reach it, as psql takes it. */
  address: { host: string; port: number };
  used: number;
  max: number;
  /** Slots that only superusers and some roles may take. */
  reserved: number;
  /** Who has the connections, the most first. */
  clients: readonly Clients[];
  /** Sessions that keep a transaction open and do nothing. */
  idle: readonly IdleSession[];
  pendingRestart: readonly string[];
  /** What is wrong in the configuration files; a running server goes on without it, the next start fails. */
  configurationErrors: readonly { file: string; line: number; error: string }[];
  checksumFailures: readonly { database: string; failures: number }[];
}

export function judgeServer(facts: ServerFacts): Finding[] {
  return [
    ...judgeConnections(facts),
    ...judgeIdle(facts),
    ...judgeSettings(facts),
    ...judgeConfiguration(facts),
    ...judgeChecksums(facts),
  ];
}

function judgeConnections({ name, used, max, reserved, clients }: ServerFacts): Finding[] {
  const slots = Math.max(1, max - reserved);
  const share = used / slots;
  if (share < 0.75) return [];
  const who = clients
    .slice(0, 3)
    .map((one) => `${one.count} by ${one.user}${one.application && ` (${one.application})`}`);
  return [
    {
      code: 'CONNECTIONS_HIGH',
      severity: share >= 0.9 ? 'critical' : 'warning',
      subject: name,
      cause: `${used} of the ${slots} connections that clients may have are taken (${Math.floor(share * 100)} %): ${who.join(', ')}.`,
      remedy: manage('status', name),
    },
  ];
}

const idleTooLongSeconds = (5 * minuteMs) / 1000;

function judgeIdle({ name, idle, address }: ServerFacts): Finding[] {
  const late = idle.filter(({ seconds }) => seconds > idleTooLongSeconds).toSorted((a, b) => b.seconds - a.seconds);
  const [worst] = late;
  if (worst === undefined) return [];
  const age = humanAge(worst.seconds * 1000);
  const many =
    late.length === 1 ? 'one session keeps a transaction open' : `${late.length} sessions keep transactions open`;
  const application = worst.application && ` (${worst.application})`;
  return [
    {
      code: 'IDLE_IN_TRANSACTION',
      severity: 'warning',
      subject: name,
      cause: `${many} and idle: process ${worst.pid} of ${worst.user}${application} for ${age}; vacuum and locks wait for it.`,
      remedy: psql(address, `select pg_terminate_backend(${worst.pid})`),
    },
  ];
}

function judgeSettings({ name, pendingRestart }: ServerFacts): Finding[] {
  if (pendingRestart.length === 0) return [];
  const cause = `${plural(pendingRestart.length, 'setting')} changed and not in force before a restart: ${pendingRestart.join(', ')}.`;
  return [{ code: 'RESTART_PENDING', severity: 'warning', subject: name, cause, remedy: manage('restart', name) }];
}

function judgeConfiguration({ name, configurationErrors }: ServerFacts): Finding[] {
  return configurationErrors.map(({ file, line, error }) => ({
    code: 'CONFIGURATION_BROKEN',
    severity: 'critical',
    subject: name,
    cause: `${file}, line ${line}: ${error}. The server goes on without it; it will not start again.`,
    remedy: `sed -n ${line}p ${quoted(file)}`,
  }));
}

function judgeChecksums({ name, checksumFailures }: ServerFacts): Finding[] {
  return checksumFailures
    .filter(({ failures }) => failures > 0)
    .map(({ database, failures }) => ({
      code: 'CHECKSUM_FAILURES',
      severity: 'critical',
      subject: name,
      cause: `${plural(failures, 'page')} of ${database} did not match the checksum when read: the disk returns other than was written.`,
      remedy: manage('restore', name, '--as NEW'),
    }));
}

/** A server that lives and does not answer. */
export function judgeSilence(
  name: string,
  { pid, stopped, why, sqlState }: { pid: number; stopped: boolean; why: string; sqlState: string | undefined },
): Finding {
  if (sqlState === '53300') {
    const cause = 'every connection is taken, even those kept for superusers: nobody can look into it.';
    return { code: 'CONNECTIONS_HIGH', severity: 'critical', subject: name, cause, remedy: manage('restart', name) };
  }
  const cause = stopped
    ? `the server (process ${pid}) is stopped (SIGSTOP or a debugger) and answers nobody.`
    : `the server (process ${pid}) lives and does not answer: ${why}.`;
  const remedy = stopped ? `kill -CONT ${pid}` : manage('logs', name);
  return { code: 'SERVER_SILENT', severity: 'critical', subject: name, cause, remedy };
}

export function psql({ host, port }: ServerFacts['address'], sql: string): string {
  return `psql -h ${quoted(host)} -p ${port} -U postgres -d postgres -c '${sql}'`;
}

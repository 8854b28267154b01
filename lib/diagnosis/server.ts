import { type ConnectionFacts, judgeConnections, judgeIdle } from './connections.ts';
import { type Finding, manage, plural, quoted } from './finding.ts';

/** What a running server says of itself. */
export interface ServerFacts extends ConnectionFacts {
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

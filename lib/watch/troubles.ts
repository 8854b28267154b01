import type { AuditLine } from '../audit.ts';
import { host, manage, type Severity } from '../diagnosis/finding.ts';
import type { ErrorCode } from '../errors.ts';
import type { ProblemEvent } from './problem-log.ts';

/**
 * Failures that are troubles: something is to be mended. The others are answers (a wrong word, a name that is taken, a refusal
 * for good reason) or somebody's will (an interruption).
 */
const troubles: Partial<Record<ErrorCode | 'KILLED', Severity>> = {
  BACKUP_FAILED: 'critical',
  BACKUP_NOT_PROVEN: 'critical',
  DAMAGED_DATA: 'critical',
  CONTROL_FILE_DAMAGED: 'critical',
  FILE_DAMAGED: 'critical',
  WAL_MISSING: 'critical',
  RESTORE_FAILED: 'critical',
  START_FAILED: 'critical',
  WRONG_SERVER: 'critical',
  DISK_SPACE: 'critical',
  PORT_IN_USE: 'warning',
  NO_FREE_PORT: 'warning',
  MEMORY_BUDGET: 'warning',
  SHARED_MEMORY: 'warning',
  LOCKED: 'warning',
  MIGRATION_LOCKED: 'warning',
  MIGRATION_FAILED: 'warning',
  REHEARSAL_FAILED: 'warning',
  POOLER_FAILED: 'warning',
  STILL_STARTING: 'warning',
  STOP_TIMEOUT: 'warning',
  STALE_LOCK_FILE: 'warning',
  DATA_IN_USE: 'warning',
  DATA_PERMISSIONS: 'warning',
  FILE_ACCESS: 'warning',
  BAD_CONFIGURATION: 'warning',
  BAD_ACCESS_RULES: 'warning',
  LIBRARY_MISSING: 'warning',
  LOCALE_MISSING: 'warning',
  SQL_FAILED: 'warning',
  PROGRAM_FAILED: 'warning',
  PROGRAM_TIMEOUT: 'warning',
  INTERNAL: 'warning',
  KILLED: 'warning',
};

/** After so long, what failed and was never tried again is wanted by nobody any more. */
const forgottenMs = 7 * 24 * 3_600_000;

/** Successes that mend what another action met. */
const mends: Readonly<Record<string, readonly string[]>> = {
  start: ['restart', 'restore'],
  restart: ['start'],
  restore: ['start', 'restart', 'restore-dump'],
  'verify-backup': ['prove'],
  prove: ['verify-backup'],
};

/**
 * Pure: what has failed and was mended since, by the record of what was done. A failure is there until the same action
 * succeeds on the same instance, the instance is gone, or nobody has tried again for a week.
 * @param there the names of the instances that are there now
 */
export function troublesOf(audit: readonly AuditLine[], there: ReadonlySet<string>, at: string): ProblemEvent[] {
  const events: ProblemEvent[] = [];
  const open = new Map<string, ProblemEvent>();
  const end = (key: string, when: string): void => {
    const came = open.get(key);
    if (came !== undefined) events.push({ ...came, at: when, event: 'went' });
    open.delete(key);
  };
  for (const line of audit) {
    const subject = line.instance ?? host;
    const keyOf = (action: string): string => `${subject} ${action}`;
    const before = open.get(keyOf(line.action));
    if (line.result === 'ok') {
      for (const action of [line.action, ...(mends[line.action] ?? [])]) end(keyOf(action), line.at);
      if (line.action === 'destroy')
        for (const key of open.keys()) if (key.startsWith(`${subject} `)) end(key, line.at);
      continue;
    }
    const came = troubleIn(line, subject);
    if (came === undefined) continue;
    // It fails for another reason by now.
    if (before !== undefined && before.code !== came.code) end(keyOf(line.action), line.at);
    events.push(came);
    // Clearing up after what was killed is the very thing that tells of it.
    if (line.result === 'KILLED') events.push({ ...came, event: 'went' });
    else open.set(keyOf(line.action), came);
  }
  for (const [key, came] of open) {
    const forgottenAtMs = Date.parse(came.at) + forgottenMs;
    if (came.subject !== host && !there.has(came.subject)) end(key, came.at);
    else if (forgottenAtMs < Date.parse(at)) end(key, new Date(forgottenAtMs).toISOString());
  }
  return events;
}

function troubleIn({ at, action, instance, result, message }: AuditLine, subject: string): ProblemEvent | undefined {
  const severity = troubles[result as ErrorCode];
  if (severity === undefined) return undefined;
  const killed = result === 'KILLED';
  const code = killed ? 'UNFINISHED_OPERATION' : result;
  const cause = killed
    ? `${action} was killed before its end, and cleared up after.`
    : `${action} failed: ${message ?? result}`;
  const remedy = killed ? manage('audit') : manage(action, instance ?? undefined);
  return { at, event: 'came', code, subject, severity, cause, remedy, action };
}

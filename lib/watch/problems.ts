import type { AuditLine } from '../audit.ts';
import type { Finding } from '../diagnosis/finding.ts';
import type { ProblemEvent } from './problem-log.ts';
import { triage, type Triage } from './triage.ts';

/** Something that is or was wrong, with its history. */
export interface Problem {
  code: string;
  subject: string;
  title: string;
  cause: string;
  remedy: string;
  /** The action that fails with it; null for what diagnose finds. */
  action: string | null;
  /** `intermittent`: gone, and not for the first time. */
  status: 'active' | 'intermittent' | 'resolved';
  frequency: 'rare' | 'occasional' | 'frequent';
  /** How often it came within the time that is looked at. */
  occurrences: number;
  discoveredAt: string;
  lastOccurrenceAt: string;
  resolvedAt: string | null;
  /** What was done to it, by the audit. */
  resolvedBy: string | null;
  triage: Triage;
}

/** Longer ago is no longer told. */
const memoryMs = 30 * 24 * 3_600_000;

type Told = Pick<Finding, 'code' | 'subject' | 'severity' | 'cause' | 'remedy'>;

/** Pure: what has come and gone since the events were written. An info is no problem. */
export function changesSince(
  events: readonly ProblemEvent[],
  findings: readonly Finding[],
  at: string,
): ProblemEvent[] {
  const present = new Map<string, Told>();
  for (const finding of findings) if (finding.severity !== 'info') present.set(keyOf(finding), finding);
  const open = openOf(events);
  const event = (kind: ProblemEvent['event'], { code, subject, severity, cause, remedy }: Told): ProblemEvent => {
    return { at, event: kind, code, subject, severity, cause, remedy };
  };
  return [
    ...[...present].filter(([key]) => !open.has(key)).map(([, finding]) => event('came', finding)),
    ...[...open].filter(([key]) => !present.has(key)).map(([, last]) => event('went', last)),
  ];
}

/** Those that have come and not gone. */
function openOf(events: readonly ProblemEvent[]): Map<string, ProblemEvent> {
  const open = new Map<string, ProblemEvent>();
  for (const event of events) {
    if (event.event === 'came') open.set(keyOf(event), event);
    else open.delete(keyOf(event));
  }
  return open;
}

function keyOf({ code, subject }: Pick<Told, 'code' | 'subject'>): string {
  return `${code} ${subject}`;
}

/** Pure: the registry as the events tell it, the worst first. @param at now: an active problem occurs still */
export function problemsOf(events: readonly ProblemEvent[], audit: readonly AuditLine[], at: string): Problem[] {
  const groups = new Map<string, ProblemEvent[]>();
  for (const event of events) groups.set(keyOf(event), [...(groups.get(keyOf(event)) ?? []), event]);
  return [...groups.values()]
    .flatMap((history) => problemOf(oneHistory(history), audit, at))
    .toSorted((a, b) => b.triage.impactScore - a.triage.impactScore || (a.title < b.title ? -1 : 1));
}

/** In the order of time, each trouble once, though a look may have found what the audit tells of, too. */
function oneHistory(events: readonly ProblemEvent[]): ProblemEvent[] {
  const history: ProblemEvent[] = [];
  let open: ProblemEvent | undefined;
  for (const event of events.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))) {
    const came = event.event === 'came';
    const known = came ? open !== undefined && (open.action === undefined) !== (event.action === undefined) : !open;
    if (known) continue;
    history.push(event);
    open = came ? (open ?? event) : undefined;
  }
  return history;
}

function problemOf(history: readonly ProblemEvent[], audit: readonly AuditLine[], at: string): Problem[] {
  const last = history.at(-1);
  if (last === undefined) return [];
  const active = last.event === 'came';
  if (!active && Date.parse(at) - Date.parse(last.at) > memoryMs) return [];
  const came = history.filter(({ event }) => event === 'came');
  const recent = came.filter((event) => Date.parse(at) - Date.parse(event.at) <= memoryMs);
  const frequency = recent.length >= 4 ? 'frequent' : recent.length >= 2 ? 'occasional' : 'rare';
  const went = history.filter(({ event }) => event === 'went');
  const latest = came.at(-1) ?? last;
  return [
    {
      code: last.code,
      subject: last.subject,
      title: `${wordsOf(last.code)} (${last.subject})`,
      cause: latest.cause,
      remedy: latest.remedy,
      action: latest.action ?? null,
      status: active ? 'active' : went.length > 1 ? 'intermittent' : 'resolved',
      frequency,
      occurrences: recent.length,
      discoveredAt: came[0]?.at ?? last.at,
      // An action failed when it was given; what diagnose finds is there all the time.
      lastOccurrenceAt: latest.action !== undefined ? latest.at : active ? at : last.at,
      resolvedAt: active ? null : last.at,
      resolvedBy: active ? null : (repairOf(audit, latest, last) ?? null),
      triage: triage(last.code, latest.severity, frequency === 'frequent'),
    },
  ];
}

/** The last thing that was done to the instance while the problem was there. */
function repairOf(audit: readonly AuditLine[], came: ProblemEvent, went: ProblemEvent): string | undefined {
  const done = audit.findLast(
    ({ at, instance, result }) => result === 'ok' && instance === came.subject && at >= came.at && at <= went.at,
  );
  return done && `${done.action} by ${done.user}`;
}

/** `PORT_STRANGER` as people write it. */
function wordsOf(code: string): string {
  const text = code.toLowerCase().replaceAll('_', ' ').replaceAll('wal', 'WAL');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

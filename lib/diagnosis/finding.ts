/** From the least to the worst. */
export const severities = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** What `--fix` may do about a finding: data, so that it can be looked at before it is done. Nothing here can lose anything. */
export type Fix =
  | { kind: 'mode'; path: string; mode: number }
  | { kind: 'recover'; instance: string }
  | { kind: 'release-lease'; port: number }
  | { kind: 'renew-lease'; instance: string };

/** Something that is not as it should be, or that an operator may want to know. */
export interface Finding {
  /** Stable: scripts match on it. */
  code: string;
  severity: Severity;
  /** An instance, or `host`. */
  subject: string;
  /** One sentence, with its numbers. */
  cause: string;
  /** What to type. */
  remedy: string;
  /** Absent where only a person can decide. */
  fix?: Fix;
}

export const host = 'host';

/** The worst first; what is equally bad by subject and code. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  const rank = ({ severity }: Finding): number => -severities.indexOf(severity);
  const key = ({ subject, code }: Finding): string => `${subject === host ? '' : subject} ${code}`;
  return findings.toSorted((a, b) => rank(a) - rank(b) || (key(a) < key(b) ? -1 : 1));
}

/** True for two sights of one and the same trouble. */
export function isSame(a: Finding, b: Finding): boolean {
  return a.code === b.code && a.subject === b.subject && JSON.stringify(a.fix) === JSON.stringify(b.fix);
}

/** What came of one look; a look that fails is told as a finding, and the others go on. */
export async function look(
  subject: string,
  what: string,
  signal: AbortSignal,
  judge: () => Finding[] | Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    return await judge();
  } catch (error) {
    signal.throwIfAborted();
    const { message, path } = error as NodeJS.ErrnoException;
    return [
      {
        code: 'CHECK_FAILED',
        severity: 'warning',
        subject,
        cause: `${what} could not be looked into: ${message}`,
        remedy: path === undefined ? `./manage.ts --action diagnose --verbose` : `ls -ld ${quoted(path)}`,
      },
    ];
  }
}

/** A command of ours on one instance, as a person types it. */
export function manage(action: string, instance?: string, more = ''): string {
  return ['./manage.ts --action', action, ...(instance ? ['--instance', instance] : []), more].join(' ').trim();
}

/** A word for the shell. */
export function quoted(word: string): string {
  return /^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** How long ago, roughly: `12 min`, `30 h`, `9 days`. */
export function humanAge(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes < 1) return `${Math.max(0, Math.round(ms / 1000))} s`;
  if (minutes < 120) return `${Math.floor(minutes)} min`;
  return minutes < 72 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} days`;
}

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;

export function plural(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

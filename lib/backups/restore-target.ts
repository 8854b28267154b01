import { AppError } from '../errors.ts';
import { compareLsn, type Lsn, parseLsn } from '../postgres/lsn.ts';
import type { Backup } from './catalogue.ts';

/** Where a recovery is to end. */
export type RestoreTarget =
  /** A moment, as `parseTime` has checked it. */
  | { kind: 'time'; time: string }
  | { kind: 'lsn'; lsn: Lsn }
  /** A restore point; `lsn` where this tool made it, so that its place is known. */
  | { kind: 'name'; name: string; lsn?: Lsn }
  /** The end of a transaction. */
  | { kind: 'xid'; xid: bigint }
  /** As soon as the backup is whole. */
  | { kind: 'immediate' }
  /** The newest transaction there is. */
  | { kind: 'latest' }
  /** The last transaction before WAL is missing from the archive. */
  | { kind: 'before-gap' };

/** The words of `--to`. */
export const targetWords = ['latest', 'immediate', 'before-gap'] as const;

/** What the command line says of the target; at most one of them. */
export interface TargetOptions {
  to: string | undefined;
  'to-time': string | undefined;
  'to-lsn': string | undefined;
  'to-name': string | undefined;
  'to-xid': string | undefined;
}

/** @throws USAGE, BAD_TIME */
export function parseTarget(given: TargetOptions): RestoreTarget {
  const named = Object.keys(given).filter((name) => given[name as keyof TargetOptions] !== undefined);
  if (named.length > 1) {
    throw new AppError('USAGE', `a restore has one target, not ${named.map((name) => `--${name}`).join(' and ')}`, {
      hint: 'leave all but one of them out',
    });
  }
  const { to, 'to-time': time, 'to-lsn': lsn, 'to-name': name, 'to-xid': xid } = given;
  if (time !== undefined) return { kind: 'time', time: parseTime(time) };
  if (lsn !== undefined) return { kind: 'lsn', lsn: parsePosition(lsn) };
  if (name !== undefined) return { kind: 'name', name: parsePointName(name) };
  if (xid !== undefined) return { kind: 'xid', xid: parseXid(xid) };
  return { kind: (to ?? 'latest') as (typeof targetWords)[number] };
}

/**
 * A moment with its time zone, as PostgreSQL reads it too; up to microseconds.
 * @throws BAD_TIME when the zone is missing: "10:42" would mean something else to the server than to the person
 */
export function parseTime(text: string): string {
  const match =
    /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\s*(Z|UTC|[+-](?:0\d|1[0-5])(?::?[0-5]\d)?)?$/i.exec(
      text.trim(),
    );
  const [, day, clock, zone] = match ?? [];
  if (day === undefined || clock === undefined || !isDay(day) || Number.isNaN(Date.parse(`${day}T${clock}Z`))) {
    throw new AppError('BAD_TIME', `"${text}" is no moment`, {
      hint: 'write it as 2026-11-21T10:42:00Z or "2026-11-21 10:42:00+01:00"',
    });
  }
  if (zone === undefined) {
    throw new AppError('BAD_TIME', `"${text}" does not say in which time zone`, {
      hint: `add Z for UTC, or an offset: "${day} ${clock}+01:00"`,
    });
  }
  return `${day}T${clock}${normalZone(zone)}`;
}

/** False for the 30th of February, which Date.parse takes for the 2nd of March. */
function isDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

function normalZone(zone: string): string {
  // A server that is just starting knows no names of zones, not even Z.
  if (/^(Z|UTC)$/i.test(zone)) return '+00:00';
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

function parsePosition(text: string): Lsn {
  try {
    return parseLsn(text.trim());
  } catch {
    throw new AppError('USAGE', `"${text}" is no position in the WAL`, {
      hint: 'write it as pg_current_wal_lsn() does: 16/B374D848',
    });
  }
}

/** The names of restore points: 63 bytes at the most (MAXFNAMELEN in PostgreSQL's xlog_internal.h). @throws USAGE */
export function parsePointName(text: string): string {
  if (/^[\x20-\x7e]{1,63}$/.test(text) && text.trim() === text) return text;
  throw new AppError('USAGE', `"${text}" cannot be the name of a restore point`, {
    hint: 'use up to 63 letters, digits and signs of ASCII',
  });
}

function parseXid(text: string): bigint {
  if (/^[1-9]\d{0,18}$/.test(text.trim())) return BigInt(text.trim());
  throw new AppError('USAGE', `"${text}" is no transaction id`, {
    hint: 'write it as pg_current_xact_id() does: 7421',
  });
}

/** What it is called in messages. */
export function describeTarget(target: RestoreTarget): string {
  switch (target.kind) {
    case 'time':
      return target.time;
    case 'lsn':
      return target.lsn;
    case 'name':
      return `restore point "${target.name}"`;
    case 'xid':
      return `transaction ${target.xid}`;
    case 'immediate':
      return "the backup's own end";
    case 'latest':
      return 'the newest transaction';
    case 'before-gap':
      return 'the last transaction before the gap';
  }
}

/** The server's settings for it (PostgreSQL's documentation, "Recovery Target"); none for an open end. */
export function targetSettings(target: RestoreTarget): Record<string, string> {
  switch (target.kind) {
    case 'time':
      return { recovery_target_time: target.time, recovery_target_inclusive: 'on' };
    case 'lsn':
      return { recovery_target_lsn: target.lsn, recovery_target_inclusive: 'on' };
    case 'name':
      return { recovery_target_name: target.name };
    case 'xid':
      return { recovery_target_xid: String(target.xid), recovery_target_inclusive: 'on' };
    case 'immediate':
      return { recovery_target: 'immediate' };
    case 'latest':
    case 'before-gap':
      return {};
  }
}

/**
 * Whether a recovery from a backup can end there: only where the backup was whole before. Undefined where nobody can tell,
 * as with a restore point that was made by SQL.
 */
export function precedes(backup: Backup, target: RestoreTarget): boolean | undefined {
  switch (target.kind) {
    case 'time':
      return Date.parse(backup.finishedAt) <= Date.parse(target.time);
    case 'lsn':
      return compareLsn(backup.stopLsn, target.lsn) <= 0;
    case 'name':
      return target.lsn === undefined ? undefined : compareLsn(backup.stopLsn, target.lsn) <= 0;
    case 'xid':
      return backup.nextXid === undefined ? undefined : BigInt(backup.nextXid) <= target.xid;
    case 'immediate':
    case 'latest':
    case 'before-gap':
      return true;
  }
}

import { compareLsn } from '../postgres/lsn.ts';
import type { ArchivedTimeline, WalSpan } from './wal-check.ts';

/** The timeline that the instance writes now: each restore in place begins one with the next number. */
export function newestTimeline(
  backups: readonly Pick<WalSpan, 'timeline'>[],
  archive: readonly Pick<ArchivedTimeline, 'timeline'>[],
): number {
  return Math.max(...backups.map(({ timeline }) => timeline), ...archive.map(({ timeline }) => timeline));
}

/**
 * Whether a recovery from a backup can follow a timeline: its own, or one that left it, at any remove, when the backup was
 * whole. One that was taken of data which a restore has replaced since leads to that data only.
 */
export function leadsTo(
  { timeline, stopLsn }: Pick<WalSpan, 'timeline' | 'stopLsn'>,
  wanted: number,
  archive: readonly ArchivedTimeline[],
): boolean {
  if (timeline === wanted) return true;
  const ancestors = archive.find((one) => one.timeline === wanted)?.ancestors ?? [];
  return ancestors.some((branch) => branch.timeline === timeline && compareLsn(branch.leftAt, stopLsn) >= 0);
}

import type { RetentionPolicy, Verdict } from '../retention.ts';
import type { Dump } from './catalogue.ts';

export type RetainedDump = Pick<Dump, 'id' | 'type' | 'state' | 'finishedAt' | 'pinned'> & { instance: { id: string } };

export interface DumpRetentionFacts {
  /** Oldest first by when they were finished, those of earlier instances of the name among them. */
  dumps: readonly RetainedDump[];
  instanceId: string;
  nowMs: number;
  /** Why nothing may be removed at all, where that is so. */
  frozen: string | undefined;
}

const dayMs = 24 * 60 * 60 * 1000;

/**
 * Which dumps of an instance are kept, and why. Pure. Each type is judged by itself, as none can stand for another: of each
 * the newest verified one is kept, and all of it while none is verified. Base backups and WAL do not depend on them.
 */
export function planDumpRetention(facts: DumpRetentionFacts, policy: RetentionPolicy): Verdict[] {
  const own = facts.dumps.filter(({ instance }) => instance.id === facts.instanceId);
  return facts.dumps.map((dump) => {
    const same = own.filter(({ type }) => type === dump.type);
    const reasons = reasonsToKeep(dump, same, facts, policy);
    if (reasons.length > 0) return { id: dump.id, kept: true, reasons };
    return { id: dump.id, kept: false, reasons: reasonsToGo(dump, same, facts, policy) };
  });
}

function reasonsToKeep(
  dump: RetainedDump,
  same: readonly RetainedDump[],
  { instanceId, frozen, nowMs }: DumpRetentionFacts,
  { days, keep }: RetentionPolicy,
): string[] {
  const { type } = dump;
  if (frozen !== undefined) return [`retention stands still: ${frozen}`];
  if (dump.instance.id !== instanceId) return ['of an earlier instance of this name: only delete-backup removes it'];
  const reasons = dump.pinned ? ['pinned'] : [];
  if (days === undefined && keep === undefined) return [...reasons, 'no rule says that it may go'];
  const proven = same.findLast(({ state }) => state === 'verified');
  if (proven === undefined) return [...reasons, `no ${type} is verified yet, so none is removed`];
  if (dump === proven) reasons.push(`the newest verified ${type}`);
  if (same.indexOf(dump) > same.indexOf(proven)) reasons.push(`newer than the newest verified ${type}`);
  if (dump.state === 'failed') return reasons;
  // Failed ones neither count nor serve.
  const sound = same.filter(({ state }) => state !== 'failed');
  const newer = sound.length - 1 - sound.indexOf(dump);
  if (keep !== undefined && newer < keep) reasons.push(`number ${newer + 1} of the ${keep} newest of type ${type}`);
  const isYoung = days !== undefined && nowMs - Date.parse(dump.finishedAt) < days * dayMs;
  if (isYoung) reasons.push(`${ageOf(dump, nowMs)}, within ${days} days`);
  return reasons;
}

function reasonsToGo(
  dump: RetainedDump,
  same: readonly RetainedDump[],
  { nowMs }: DumpRetentionFacts,
  { days, keep }: RetentionPolicy,
): string[] {
  if (dump.state === 'failed') {
    return [`failed, and ${same.findLast(({ state }) => state === 'verified')?.id} was verified since`];
  }
  return [
    ...(days === undefined ? [] : [`${ageOf(dump, nowMs)}, more than ${days} days`]),
    ...(keep === undefined ? [] : [`not among the ${keep} newest of type ${dump.type}`]),
  ];
}

function ageOf({ finishedAt }: RetainedDump, nowMs: number): string {
  return `${((nowMs - Date.parse(finishedAt)) / dayMs).toFixed(1)} days old`;
}

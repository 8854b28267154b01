import type { StoredWish } from '../schedule/compose.ts';
import type { DeclaredSchedule } from './declared.ts';
import type { ScheduleSituation, Situation } from './situation.ts';
import { type Change, notInFile, type Step } from './steps.ts';

/** The step that installs the schedule, or takes it away. */
export function planSchedule(
  { declared, observed, faults }: ScheduleSituation,
  prune: boolean,
): { steps: Step[]; extra: string[] } {
  const { stored, installed } = observed;
  const isThere = stored !== undefined || installed.crontab.length > 0 || installed.units.length > 0;
  if (declared === 'any' || (declared === undefined && !isThere)) return { steps: [], extra: [] };
  const step = { instance: undefined, action: 'schedule' as const };
  if (declared === undefined) {
    if (!prune) return { steps: [], extra: ['the schedule'] };
    const changes = [{ what: 'schedule', why: notInFile }];
    return {
      steps: [{ ...step, sign: '-', options: { remove: true }, changes, asks: 'removes the schedule' }],
      extra: [],
    };
  }
  if (faults.length === 0 && stored !== undefined) return { steps: [], extra: [] };
  const options = scheduleOptions(declared, stored);
  if (!isThere) {
    const after = [declared.backup && `backup ${declared.backup}`, declared.prove && `prove ${declared.prove}`];
    const changes = [{ what: 'schedule', after: after.filter(Boolean).join(', ') }];
    return { steps: [{ ...step, sign: '+', options, changes }], extra: [] };
  }
  const differences = stored === undefined ? [] : compare(stored, declared);
  const reasons = [...(stored === undefined ? ['what it was to be is not written down'] : []), ...faults];
  const changes =
    differences.length > 0 ? differences : [{ what: 'schedule', why: `${reasons.join(', ')}: installed anew` }];
  return { steps: [{ ...step, sign: '~', options, changes }], extra: [] };
}

/** The selector goes beside them. What the file does not say of the service to tell stays as it is. */
function scheduleOptions(declared: DeclaredSchedule, stored: StoredWish | undefined): Step['options'] {
  const { selector, backup, prove, keep, retentionDays, jitterSeconds, scheduler = stored?.scheduler } = declared;
  const ping = declared.ping ?? stored?.ping;
  return {
    selector,
    jitter: jitterSeconds,
    ...(backup === undefined ? {} : { backup }),
    ...(prove === undefined ? {} : { prove }),
    ...(keep === undefined ? {} : { keep }),
    ...(retentionDays === undefined ? {} : { 'retention-days': retentionDays }),
    ...(ping === undefined ? {} : { ping }),
    ...(scheduler === undefined ? {} : { with: scheduler }),
  };
}

function compare(stored: StoredWish, declared: DeclaredSchedule): Change[] {
  const rows: [what: string, before: string | number | undefined, after: string | number | undefined][] = [
    ['instances', stored.selector, declared.selector],
    ['backup', stored.backup, declared.backup],
    ['prove', stored.prove, declared.prove],
    ['keep', stored.keep, declared.keep],
    ['retention-days', stored.retentionDays, declared.retentionDays],
    ['jitter', stored.jitterSeconds, declared.jitterSeconds],
    ['called by', stored.scheduler, declared.scheduler ?? stored.scheduler],
  ];
  const changes = rows.flatMap(([what, before, after]): Change[] =>
    before === after
      ? []
      : [{ what: `schedule ${what}`, before: String(before ?? 'none'), after: String(after ?? 'none') }],
  );
  const otherPing = declared.ping !== undefined && declared.ping !== stored.ping;
  return otherPing ? [...changes, { what: 'schedule ping', why: 'another address' }] : changes;
}

/** The step that brings instances back with the machine, or no more. What the file does not say of it stays. */
export function planAutostart({ declared, isThere }: NonNullable<Situation['autostart']>): Step[] {
  if (declared === undefined || declared === isThere) return [];
  const step = { instance: undefined, action: 'autostart' as const };
  const what = 'autostart';
  if (declared) return [{ ...step, sign: '+', options: {}, changes: [{ what, after: 'instances come back' }] }];
  const changes = [{ what, why: 'instances do not come back' }];
  return [{ ...step, sign: '-', options: { remove: true }, changes, asks: 'removes autostart' }];
}

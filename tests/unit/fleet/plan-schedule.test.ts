import { describe, expect, it } from '@jest/globals';
import type { DeclaredSchedule } from '../../../lib/fleet/declared.ts';
import { planAutostart, planSchedule } from '../../../lib/fleet/plan-schedule.ts';
import type { ScheduleSituation } from '../../../lib/fleet/situation.ts';
import type { StoredWish } from '../../../lib/schedule/compose.ts';

const nightly: DeclaredSchedule = {
  selector: 'all',
  backup: '0 2 * * *',
  prove: undefined,
  keep: undefined,
  retentionDays: undefined,
  jitterSeconds: 300,
  ping: undefined,
  scheduler: undefined,
};
const stored: StoredWish = {
  schema: 1,
  scheduler: 'cron',
  selector: 'all',
  backup: '0 2 * * *',
  jitterSeconds: 300,
  ping: 'https://ping.example/a',
};
const nothing = { crontab: [], units: [] };
const cron = { ...nothing, crontab: ['# pg-manage', '0 2 * * * backup'] };

interface Given extends Partial<Omit<ScheduleSituation, 'observed'>>, Partial<ScheduleSituation['observed']> {
  prune?: boolean;
}

/** Nightly backups are declared and installed by cron, but for what is given. */
function plan({ prune = false, faults = [], ...given }: Given = {}) {
  const declared = 'declared' in given ? given.declared : nightly;
  const observed = { stored: 'stored' in given ? given.stored : stored, installed: given.installed ?? cron };
  return planSchedule({ declared, observed, faults }, prune);
}

const none = { steps: [], extra: [] };

describe('a schedule', () => {
  it('stays where it is as declared, where it may be as it is, and where there is to be none and is none', () => {
    expect(plan()).toStrictEqual(none);
    expect(plan({ declared: 'any', faults: ['x'], prune: true })).toStrictEqual(none);
    expect(plan({ declared: undefined, stored: undefined, installed: nothing, prune: true })).toStrictEqual(none);
  });

  it.each([
    ['its record', stored, nothing],
    ['lines in the crontab', undefined, cron],
    ['units', undefined, { ...nothing, units: [{ name: 'pg-manage-backup.timer', text: '' }] }],
  ])('not declared: of %s it is told, and --prune takes it away', (_, record, installed) => {
    const given = { declared: undefined, stored: record, installed };
    expect(plan(given)).toStrictEqual({ steps: [], extra: ['the schedule'] });
    expect(plan({ ...given, prune: true })).toStrictEqual({
      steps: [
        {
          sign: '-',
          instance: undefined,
          action: 'schedule',
          options: { remove: true },
          changes: [{ what: 'schedule', why: 'not in the file' }],
          asks: 'removes the schedule',
        },
      ],
      extra: [],
    });
  });

  it('is made where there is none', () => {
    expect(plan({ stored: undefined, installed: nothing })).toStrictEqual({
      steps: [
        {
          sign: '+',
          instance: undefined,
          action: 'schedule',
          options: { selector: 'all', jitter: 300, backup: '0 2 * * *' },
          changes: [{ what: 'schedule', after: 'backup 0 2 * * *' }],
        },
      ],
      extra: [],
    });
  });

  it('is called with all that is declared', () => {
    const declared: DeclaredSchedule = {
      selector: 'client-*',
      backup: '0 2 * * *',
      prove: 'weekly',
      keep: 7,
      retentionDays: 30,
      jitterSeconds: 0,
      ping: 'https://ping.example/b',
      scheduler: 'systemd',
    };
    const { steps } = plan({ declared, stored: undefined, installed: nothing });
    expect(steps[0]?.options).toStrictEqual({
      selector: 'client-*',
      backup: '0 2 * * *',
      prove: 'weekly',
      keep: 7,
      'retention-days': 30,
      jitter: 0,
      ping: 'https://ping.example/b',
      with: 'systemd',
    });
    expect(steps[0]?.changes).toStrictEqual([{ what: 'schedule', after: 'backup 0 2 * * *, prove weekly' }]);
    const proof = plan({ declared: { ...declared, backup: undefined }, stored: undefined, installed: nothing });
    expect(proof.steps[0]?.changes).toStrictEqual([{ what: 'schedule', after: 'prove weekly' }]);
    expect(proof.steps[0]?.options).not.toHaveProperty('backup');
  });

  it('is installed anew where a part of it is missing, and stays with the scheduler and the address that it has', () => {
    const { steps, extra } = plan({ faults: ['not in the crontab', 'the script of backup'] });
    expect(steps).toStrictEqual([
      {
        sign: '~',
        instance: undefined,
        action: 'schedule',
        options: { selector: 'all', jitter: 300, backup: '0 2 * * *', with: 'cron', ping: 'https://ping.example/a' },
        changes: [{ what: 'schedule', why: 'not in the crontab, the script of backup: installed anew' }],
      },
    ]);
    expect(extra).toStrictEqual([]);
  });

  it('is installed anew where all of it is there and nobody wrote down what it was to be', () => {
    expect(plan({ stored: undefined }).steps[0]).toMatchObject({
      sign: '~',
      changes: [{ what: 'schedule', why: 'what it was to be is not written down: installed anew' }],
    });
  });

  it.each<[Partial<DeclaredSchedule>, string, string, string]>([
    [{ selector: 'client-a' }, 'instances', 'all', 'client-a'],
    [{ backup: '0 3 * * *' }, 'backup', '0 2 * * *', '0 3 * * *'],
    [{ prove: 'weekly' }, 'prove', 'none', 'weekly'],
    [{ backup: undefined }, 'backup', '0 2 * * *', 'none'],
    [{ keep: 7 }, 'keep', 'none', '7'],
    [{ retentionDays: 30 }, 'retention-days', 'none', '30'],
    [{ jitterSeconds: 0 }, 'jitter', '300', '0'],
    [{ scheduler: 'systemd' }, 'called by', 'cron', 'systemd'],
  ])('tells what is otherwise: %j', (more, what, before, after) => {
    const { steps } = plan({ declared: { ...nightly, ...more }, faults: ['x'] });
    expect(steps.map(({ sign, changes }) => [sign, changes])).toStrictEqual([
      ['~', [{ what: `schedule ${what}`, before, after }]],
    ]);
  });

  it('tells that the address to tell is another one, and never which', () => {
    const changes = (ping: string) => plan({ declared: { ...nightly, ping }, faults: ['x'] }).steps[0]?.changes;
    expect(changes('https://ping.example/b')).toStrictEqual([{ what: 'schedule ping', why: 'another address' }]);
    expect(changes('https://ping.example/a')).toStrictEqual([{ what: 'schedule', why: 'x: installed anew' }]);
  });
});

describe('autostart', () => {
  it.each([
    [undefined, true],
    [undefined, false],
    [true, true],
    [false, false],
  ])('declared %j and there %j: nothing', (declared, isThere) => {
    expect(planAutostart({ declared, isThere })).toStrictEqual([]);
  });

  it('is made, or taken away with a question', () => {
    expect(planAutostart({ declared: true, isThere: false })).toStrictEqual([
      {
        sign: '+',
        instance: undefined,
        action: 'autostart',
        options: {},
        changes: [{ what: 'autostart', after: 'instances come back' }],
      },
    ]);
    expect(planAutostart({ declared: false, isThere: true })).toStrictEqual([
      {
        sign: '-',
        instance: undefined,
        action: 'autostart',
        options: { remove: true },
        changes: [{ what: 'autostart', why: 'instances do not come back' }],
        asks: 'removes autostart',
      },
    ]);
  });
});

import { describe, expect, it } from '@jest/globals';
import type { ObservedInstance } from '../../../lib/fleet/observe.ts';
import { planInstance, type Wishes } from '../../../lib/tuning/plan.ts';
import { bytes, GB } from '../../../lib/tuning/sizes.ts';
import { loadTemplate } from '../../../lib/tuning/templates.ts';
import { one, plan, type Seen, seen, told } from './situation.ts';

const planned = (body: string, facts: Seen = {}) => plan(one(body), { 'client-a': seen('client-a', facts) });

describe('a server', () => {
  it('that is down is started, at the port that is declared, and compared as a whole later', () => {
    const found = planned('port: 5441, pooler: true, users: { u: {} }', { state: 'crashed' });
    expect(found.steps).toStrictEqual([
      {
        sign: '~',
        instance: 'client-a',
        action: 'start',
        options: { port: '5441' },
        changes: [
          { what: 'state', before: 'crashed', after: 'running' },
          { what: 'port', before: '5440', after: '5441' },
        ],
      },
    ]);
    expect(found.later).toStrictEqual(['client-a']);
    expect(planned('port: 5440', { state: 'stopped' }).steps[0]?.options).toStrictEqual({});
  });

  it('that runs and does not answer is started, too: the action says what is wrong with it', () => {
    const found = planned('users: { u: {} }', { server: false });
    expect([told(found), found.later]).toStrictEqual([['~ start state: running → running'], ['client-a']]);
  });

  it('that is to have another port is stopped, which is asked about, and started there', () => {
    expect(planned('port: 5441').steps).toStrictEqual([
      {
        sign: '~',
        instance: 'client-a',
        action: 'stop',
        options: {},
        changes: [{ what: 'state', why: 'stopped to be moved' }],
        asks: 'restarts client-a',
      },
      {
        sign: '~',
        instance: 'client-a',
        action: 'start',
        options: { port: '5441' },
        changes: [{ what: 'port', before: '5440', after: '5441' }],
      },
    ]);
    expect(planned('port: 5440').steps).toStrictEqual([]);
  });

  it.each<[ObservedInstance['state'], boolean]>([
    ['running', true],
    ['starting', true],
    ['stopped', false],
    ['crashed', false],
  ])('that is to be stopped and is %s', (state, stops) => {
    const { steps, later } = planned('state: stopped, port: 5441, users: { u: {} }', { state });
    expect(steps.map(({ action, options, asks }) => [action, options, asks])).toStrictEqual(
      stops ? [['stop', {}, 'stops client-a']] : [],
    );
    expect(steps[0]?.changes).toStrictEqual(stops ? [{ what: 'state', before: state, after: 'stopped' }] : undefined);
    expect(later).toStrictEqual([]);
  });
});

describe('a restart', () => {
  const waits = (...names: string[]): Seen => ({
    settings: Object.fromEntries(names.map((name) => [name, { setting: 'x', isPending: true }])),
  });

  it('is asked about, for what the plan or the file speaks of', () => {
    const { steps } = planned('', waits('shared_buffers'));
    expect(steps).toStrictEqual([
      {
        sign: '~',
        instance: 'client-a',
        action: 'restart',
        options: {},
        changes: [{ what: 'restart', why: 'for shared_buffers' }],
        asks: 'restarts client-a',
      },
    ]);
  });

  it('is not for what somebody else has changed, nor for what does not wait', () => {
    expect(planned('', waits('max_wal_senders')).steps).toStrictEqual([]);
    const settings = { shared_buffers: { setting: 'x' } };
    expect(planned('', { settings }).steps).toStrictEqual([]);
  });

  /** One that is configured as the plan of these wishes says, with what a change of each setting takes. */
  function configured(wishes: Wishes, takes: Record<string, 'reload' | 'restart'>, waiting: string[] = []): Seen {
    const { settings } = planInstance({
      host: { memoryBytes: bytes(64 * GB), cores: 4 },
      template: loadTemplate('minimal'),
      major: 16,
      others: [],
      wishes,
      budgetShare: 0.8,
      overcommit: false,
    });
    const rows = settings.map(({ name, value }) => [
      name,
      { setting: value, takes: takes[name] ?? 'reload', isPending: waiting.includes(name) },
    ]);
    const values = Object.fromEntries(settings.map(({ name, value }) => [name, value]));
    const names = settings.map(({ name }) => name);
    return { record: { wishes }, values, settings: Object.fromEntries(rows), planned: names };
  }

  it('comes after the tuning that needs it, once, for that and for what waits already', () => {
    const facts = configured({ maxConnections: 30 }, { max_connections: 'restart' }, [
      'wal_buffers',
      'max_connections',
    ]);
    const found = planned('max-connections: 31', facts);
    expect(told(found)).toStrictEqual([
      '~ tune max-connections: 30 → 31',
      '~ restart restart: for max_connections, wal_buffers',
    ]);
  });

  it('is not needed where a reload does', () => {
    const facts = configured({ settings: { work_mem: '4MB' } }, { max_connections: 'restart' });
    expect(told(planned('set: { work_mem: 8MB }', facts))).toStrictEqual(['~ tune work_mem: 4MB → 8MB']);
    expect(planned('set: { work_mem: 4MB }', facts).steps).toStrictEqual([]);
  });

  it('is for what is no longer planned, too, where nobody can say what that takes', () => {
    const facts = configured({ settings: { work_mem: '4MB', jit: 'off' } }, {});
    const { jit: _, ...settings } = facts.settings ?? {};
    expect(told(planned('set: { work_mem: 4MB }', { ...facts, settings })).at(-1)).toBe('~ restart restart: for jit');
  });

  it('is no question while the server is down', () => {
    expect(planned('memory: 1GB', { state: 'stopped' }).steps.map(({ action }) => action)).toStrictEqual([
      'tune',
      'start',
    ]);
  });
});

describe('what no action changes in place', () => {
  const refused = (body: string, facts: Seen = {}) =>
    planned(body, facts).refusals.map(({ instance, text, hint }) => [instance, text, hint]);

  it('is refused with what to do', () => {
    expect(refused('pg-version: 17, username: x, database: y, locale: de_AT.UTF-8')).toStrictEqual([
      ['client-a', 'PostgreSQL is 16 and cannot become 17 in place', expect.stringContaining('pg-version: 17')],
      ['client-a', 'its role is client_a and cannot become x in place', expect.stringContaining('username: client_a')],
      [
        'client-a',
        'its database is client_a and cannot become y in place',
        expect.stringContaining('database: client_a'),
      ],
      ['client-a', 'locale is C.UTF-8 and cannot become de_AT.UTF-8 in place', expect.stringContaining('dump')],
    ]);
  });

  it('is nothing where it is so already, however a locale is spelt', () => {
    expect(refused('pg-version: 16, username: client_a, database: client_a, locale: c.utf8')).toStrictEqual([]);
    expect(refused('locale: C.UTF8')).toStrictEqual([]);
  });

  it('is not known of a locale while the server is down, or its database gone', () => {
    expect(refused('locale: de_AT.UTF-8', { state: 'stopped' })).toStrictEqual([]);
    const other = [{ name: 'other', owner: 'x', sizeBytes: 1, locale: 'C' }];
    expect(refused('locale: de_AT.UTF-8', { server: { databases: other } })).toStrictEqual([]);
  });
});

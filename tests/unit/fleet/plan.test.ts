import { describe, expect, it } from '@jest/globals';
import type { FleetPlan } from '../../../lib/fleet/steps.ts';
import { GB } from '../../../lib/tuning/sizes.ts';
import { one, plan, seen, told } from './situation.ts';

describe('nothing', () => {
  it('where all is as declared', () => {
    expect(plan(one(), { 'client-a': seen('client-a') })).toStrictEqual({
      steps: [],
      refusals: [],
      extra: [],
      later: [],
    });
  });
});

describe('a new instance', () => {
  it('is made first; its users before migrations, its privileges after', () => {
    const body =
      'migrations-dir: ./m, pooler: true, databases: { d: { owner: u } }, users: { u: { privileges: read } }';
    const made = plan(one(body), {}, { pending: { client_a: { migrations: ['1.sql', '2.sql', '3.sql'], seeds: [] } } });
    expect(made.steps.map(({ action }) => action)).toStrictEqual([
      'create',
      'create-user',
      'create-db',
      'pooler',
      'migrate',
      'create-user',
    ]);
    expect(told(made)[4]).toBe('+ migrate migrations of client_a: 1.sql … 3.sql (3)');
    expect(made.steps.every(({ asks }) => asks === undefined)).toBe(true);
  });

  it('one after the other, they share the memory that there is', () => {
    const yaml = 'defaults: { template: minimal, memory: 500MB }\ninstances: { a: {}, b: {}, c: {} }\n';
    expect(plan(yaml, {}, { memoryBytes: 2 * GB }).steps).toHaveLength(3);
    expect(() => plan(yaml, {}, { memoryBytes: 1.2 * GB })).toThrow(/^c: what --memory asks for/);
  });

  it('has the memory of what is pruned', () => {
    const around = { others: ['old'], memoryBytes: 2.6 * GB };
    expect(() => plan(one('memory: 500MB'), {}, around)).toThrow('client-a: ');
    expect(plan(one(), {}, { ...around, memoryBytes: 64 * GB }).extra).toStrictEqual(['instance old']);
    const { steps } = plan(one('memory: 500MB'), {}, { ...around, prune: true });
    expect(steps.map(({ action, instance }) => `${action} ${instance}`)).toStrictEqual([
      'destroy old',
      'create client-a',
    ]);
  });
});

describe('several instances', () => {
  const actions = ({ steps }: FleetPlan) => steps.map(({ action, instance }) => `${action} ${instance ?? ''}`.trim());

  it('that get smaller come before those that grow, and new ones last', () => {
    const yaml = `defaults: { template: minimal }
instances: { new: {}, grows: { memory: 900MB }, same: { set: { jit: off } }, shrinks: { memory: 1GB } }\n`;
    const shrinks = seen('shrinks', { record: { committedBytes: 2 * GB } });
    const observed = { grows: seen('grows'), same: seen('same'), shrinks };
    expect(actions(plan(yaml, observed)).filter((step) => !step.startsWith('restart'))).toStrictEqual([
      'tune shrinks',
      'tune same',
      'tune grows',
      'create new',
    ]);
  });

  it('count the memory of all that stay, of another root and of the same name too', () => {
    const claim = (root: string) => ({ name: 'old', id: root, root, committedBytes: 2 * GB });
    const around = { others: ['old'], prune: true, memoryBytes: 2.6 * GB };
    expect(plan(one('memory: 500MB'), {}, { ...around, claims: [claim('/srv')] }).steps).toHaveLength(2);
    expect(() => plan(one('memory: 500MB'), {}, { ...around, claims: [claim('/other')] })).toThrow('client-a: ');
    const both = ['old', 'older'].map((name) => ({ ...claim('/srv'), name, id: name }));
    const room = { ...around, others: ['old', 'older'], claims: both };
    expect(plan(one('memory: 500MB'), {}, room).steps).toHaveLength(3);
    const kept = { ...claim('/srv'), name: 'client-b' };
    expect(() => plan(one('memory: 500MB'), {}, { ...around, claims: [kept] })).toThrow('client-a: ');
  });

  it('that are pruned are asked about', () => {
    expect(plan(one(), { 'client-a': seen('client-a') }, { others: ['old'], prune: true })).toStrictEqual({
      steps: [
        {
          sign: '-',
          instance: 'old',
          action: 'destroy',
          options: {},
          changes: [{ what: 'instance', why: 'not in the file: stopped, its data goes to quarantine' }],
          asks: 'stops old and moves its data to quarantine',
        },
      ],
      refusals: [],
      extra: [],
      later: [],
    });
  });

  it('come before the schedule, and that before autostart', () => {
    const yaml = `${one()}schedule: { backup: daily }\n`;
    const autostart = { declared: true, isThere: false };
    expect(actions(plan(yaml, {}, { autostart }))).toStrictEqual(['create client-a', 'schedule', 'autostart']);
    const installed = { crontab: ['0 2 * * * x'], units: [] };
    expect(plan(one(), { 'client-a': seen('client-a') }, { installed }).extra).toStrictEqual(['the schedule']);
    expect(actions(plan(one(), {}, { installed, prune: true }))).toStrictEqual(['create client-a', 'schedule']);
    // A selector leaves the schedule out.
    const without = plan(yaml, {}, { without: 'schedule' });
    expect([actions(without), without.extra]).toStrictEqual([['create client-a'], []]);
  });

  it('what is wrong with one is told beside what is to be done with the others', () => {
    const yaml = 'defaults: { template: minimal }\ninstances: { a: { username: x }, b: { set: { jit: off } } }\n';
    const { refusals, steps } = plan(yaml, { a: seen('a'), b: seen('b') });
    expect([refusals.map(({ instance }) => instance), steps[0]?.instance]).toStrictEqual([['a'], 'b']);
  });
});

import { describe, expect, it } from '@jest/globals';
import { GB } from '../../../lib/tuning/sizes.ts';
import { one, plan, seen, told } from './situation.ts';

describe('nothing', () => {
  it('where all is as declared', () => {
    expect(plan(one(), { 'client-a': seen('client-a') })).toEqual({ steps: [], refusals: [], extra: [], later: [] });
  });
});

describe('a new instance', () => {
  it('is made first; its users before migrations, its privileges after', () => {
    const body =
      'migrations-dir: ./m, pooler: true, databases: { d: { owner: u } }, users: { u: { privileges: read } }';
    const made = plan(one(body), {}, { pending: { client_a: { migrations: ['1.sql', '2.sql', '3.sql'], seeds: [] } } });
    expect(made.steps.map(({ action }) => action)).toEqual([
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
    expect(plan(one(), {}, { ...around, memoryBytes: 64 * GB }).extra).toEqual(['instance old']);
    const { steps } = plan(one('memory: 500MB'), {}, { ...around, prune: true });
    expect(steps.map(({ action, instance }) => `${action} ${instance}`)).toEqual(['destroy old', 'create client-a']);
  });
});

describe('servers', () => {
  it('one that is down is started, and compared as a whole later', () => {
    const found = plan(one('pooler: true, users: { u: {} }'), { 'client-a': seen('client-a', { state: 'crashed' }) });
    expect([told(found), found.later]).toEqual([['~ start state: crashed → running'], ['client-a']]);
  });

  it('another port takes a stop, which is asked about', () => {
    const { steps } = plan(one('port: 5441'), { 'client-a': seen('client-a') });
    expect(steps.map(({ action, options, asks }) => [action, options, asks])).toEqual([
      ['stop', {}, 'restarts client-a'],
      ['start', { port: '5441' }, undefined],
    ]);
  });

  it('one that is to be stopped is, and nothing else is looked at', () => {
    const found = plan(one('state: stopped, users: { u: {} }'), { 'client-a': seen('client-a') });
    expect([told(found), found.later]).toEqual([['~ stop state: running → stopped'], []]);
    expect(plan(one('state: stopped'), { 'client-a': seen('client-a', { state: 'stopped' }) }).steps).toEqual([]);
  });

  it('what cannot be changed in place is refused', () => {
    const { refusals } = plan(one('pg-version: 17, username: x'), { 'client-a': seen('client-a') });
    expect(refusals.map(({ text }) => text)).toEqual([
      'PostgreSQL is 16 and cannot become 17 in place',
      'its role is client_a and cannot become x in place',
    ]);
  });
});

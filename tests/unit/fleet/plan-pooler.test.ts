import { describe, expect, it } from '@jest/globals';
import { one, plan, type Seen, seen, told } from './situation.ts';

describe('the pooler', () => {
  const planned = (body: string, facts: Seen = {}, prune = false) =>
    plan(one(body), { 'client-a': seen('client-a', facts) }, { prune });
  const pooled = (poolerRuns: boolean, more: object = {}): Seen => ({
    record: { pooler: { port: 6000 as never, ...more } },
    poolerRuns,
  });

  it('is made where there is none', () => {
    expect(planned('pooler: true').extra).toStrictEqual([]);
    expect(planned('pooler: true').steps).toStrictEqual([
      {
        sign: '+',
        instance: 'client-a',
        action: 'pooler',
        options: {},
        changes: [{ what: 'pooler', after: 'port auto' }],
      },
    ]);
    const all = planned('pooler: { mode: session, size: 5, port: 6432 }');
    expect([all.steps[0]?.options, told(all)]).toStrictEqual([
      { 'pool-mode': 'session', 'pool-size': 5, port: '6432' },
      ['+ pooler pooler: port 6432'],
    ]);
    expect(planned('pooler: true, port-range: 6000-6010').steps[0]?.options).toStrictEqual({
      'port-range': '6000-6010',
    });
  });

  it('stays where it is as declared; what is not declared of it may be as it is', () => {
    expect(planned('pooler: true', pooled(true, { mode: 'session', poolSize: 5 })).steps).toStrictEqual([]);
    const declared = 'pooler: { mode: session, size: 5, port: 6000 }';
    expect(planned(declared, pooled(true, { mode: 'session', poolSize: 5 })).steps).toStrictEqual([]);
  });

  it('is changed where it is otherwise, and started where it is dead', () => {
    const body = 'pooler: { mode: transaction, size: 5, port: 6432 }';
    const found = planned(body, pooled(false, { mode: 'session' }));
    expect(found.extra).toStrictEqual([]);
    expect(found.steps).toStrictEqual([
      {
        sign: '~',
        instance: 'client-a',
        action: 'pooler',
        options: { 'pool-mode': 'transaction', 'pool-size': 5, port: '6432' },
        changes: [
          { what: 'pooler mode', before: 'session', after: 'transaction' },
          { what: 'pooler size', before: 'as planned', after: '5' },
          { what: 'pooler port', before: '6000', after: '6432' },
          { what: 'pooler', before: 'crashed', after: 'running' },
        ],
      },
    ]);
    expect(told(planned('pooler: true', pooled(false)))).toStrictEqual(['~ pooler pooler: crashed → running']);
  });

  it('that is not declared is told, and taken away with --prune', () => {
    expect(planned('', pooled(true))).toMatchObject({ steps: [], extra: ['pooler of client-a'] });
    expect(planned('', pooled(true), true)).toMatchObject({
      steps: [
        {
          sign: '-',
          instance: 'client-a',
          action: 'pooler',
          options: { off: true },
          changes: [{ what: 'pooler', why: 'not in the file' }],
          asks: 'takes the pooler of client-a away',
        },
      ],
      extra: [],
    });
    expect(planned('', {}, true).steps).toStrictEqual([]);
  });
});

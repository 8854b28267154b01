import { describe, expect, it } from '@jest/globals';
import type { ObservedInstance } from '../../../lib/fleet/observe.ts';
import { holding, one, plan, role, seen, told } from './situation.ts';

describe('users and databases', () => {
  const withApp = (rights: object, facts: object = {}): Record<string, ObservedInstance> => ({
    'client-a': seen('client-a', { server: { roles: [role('app', facts)], privileges: holding(rights) } }),
  });

  it.each<[string, string, Record<string, ObservedInstance>, string[]]>([
    [
      'missing',
      'users: { app: {} }',
      { 'client-a': seen('client-a') },
      ['+ create-user user app: with a new password'],
    ],
    [
      'too few privileges',
      'users: { app: { privileges: write } }',
      withApp({ onTables: 'read' }),
      ['~ create-user user app: write on client_a'],
    ],
    [
      'more than declared',
      'users: { app: { privileges: read } }',
      withApp({ onTables: 'all', onDatabase: ['connect'] }),
      [],
    ],
    ['no longer a member', 'users: { app: { member-of: [x] } }', withApp({}), ['~ create-user user app: member of x']],
    [
      'not to log in',
      'users: { app: {} }',
      withApp({}, { canLogin: false }),
      ['~ create-user user app: no login → login'],
    ],
    ['any', 'users: any', withApp({ onTables: 'all' }), []],
  ])('%s', (_, body, observed, expected) => {
    expect(told(plan(one(body), observed))).toEqual(expected);
  });

  it('what is more than declared is told, and taken with --prune alone', () => {
    const observed = withApp(
      { onTables: 'all', onDatabase: ['connect', 'create'] },
      { attributes: ['createdb'], memberOf: ['x'] },
    );
    const body = one('users: { app: { privileges: read } }');
    expect(plan(body, observed).extra).toEqual([
      'user app of client-a (all, create, createdb on client_a)',
      'user app of client-a (member of x)',
    ]);
    const [step, ...more] = plan(body, observed, { prune: true }).steps;
    expect(more).toEqual([]);
    expect(step).toMatchObject({
      sign: '-',
      action: 'create-user',
      options: {
        username: 'app',
        database: 'client_a',
        privileges: 'read',
        without: 'all,create,createdb',
        'not-member-of': 'x',
      },
      asks: expect.stringContaining('takes from app of client-a'),
    });
  });

  it('what is not named goes with --prune, databases before the users who may own them', () => {
    const databases = [
      { name: 'client_a', owner: 'client_a', sizeBytes: 1, locale: 'C' },
      { name: 'old', owner: 'app', sizeBytes: 1, locale: 'C' },
    ];
    const observed = { 'client-a': seen('client-a', { server: { databases, roles: [role('app')] } }) };
    expect(plan(one(), observed).extra).toEqual(['database old of client-a', 'user app of client-a']);
    const { steps } = plan(one(), observed, { prune: true });
    expect(steps.map(({ action, options }) => [action, options])).toEqual([
      ['drop-db', { database: 'old' }],
      ['drop-user', { username: 'app', 'reassign-to': 'client_a' }],
    ]);
    expect(plan(one('databases: any, users: any'), observed, { prune: true }).steps).toEqual([]);
  });

  it('the pooler: missing, otherwise, dead', () => {
    const pooled = (poolerRuns: boolean) =>
      seen('client-a', { record: { pooler: { port: 6000 as never } }, poolerRuns });
    expect(told(plan(one('pooler: true'), { 'client-a': seen('client-a') }))).toEqual(['+ pooler pooler: port auto']);
    expect(told(plan(one('pooler: true'), { 'client-a': pooled(true) }))).toEqual([]);
    expect(told(plan(one('pooler: { size: 5 }'), { 'client-a': pooled(false) }))).toEqual([
      '~ pooler pooler size: as planned → 5',
      '~ pooler pooler: crashed → running',
    ]);
    expect(plan(one(), { 'client-a': pooled(true) }).extra).toEqual(['pooler of client-a']);
  });
});

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
    expect(told(plan(one(body), observed))).toStrictEqual(expected);
  });

  it('what is more than declared is told, and taken with --prune alone', () => {
    const observed = withApp(
      { onTables: 'all', onDatabase: ['connect', 'create'] },
      { attributes: ['createdb'], memberOf: ['x'] },
    );
    const body = one('users: { app: { privileges: read } }');
    expect(plan(body, observed).extra).toStrictEqual([
      'user app of client-a (all, create, createdb on client_a)',
      'user app of client-a (member of x)',
    ]);
    const [step, ...more] = plan(body, observed, { prune: true }).steps;
    expect(more).toStrictEqual([]);
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
    expect(plan(one(), observed).extra).toStrictEqual(['database old of client-a', 'user app of client-a']);
    const { steps } = plan(one(), observed, { prune: true });
    expect(steps.map(({ action, options }) => [action, options])).toStrictEqual([
      ['drop-db', { database: 'old' }],
      ['drop-user', { username: 'app', 'reassign-to': 'client_a' }],
    ]);
    expect(plan(one('databases: any, users: any'), observed, { prune: true }).steps).toStrictEqual([]);
  });

  it('one user is made beside another who is not named: the one is no surplus, the other no stand-in', () => {
    const observed = { 'client-a': seen('client-a', { server: { roles: [role('old')] } }) };
    const found = plan(one('users: { app: { privileges: read } }'), observed);
    expect(told(found)).toStrictEqual([
      '+ create-user user app: with a new password',
      '+ create-user user app: read on client_a',
    ]);
    expect(found.extra).toStrictEqual(['user old of client-a']);
  });

  it('what is dropped is said and asked about', () => {
    const databases = [{ name: 'old', owner: 'x', sizeBytes: 1, locale: 'C' }];
    const { steps } = plan(one(), { 'client-a': seen('client-a', { server: { databases } }) }, { prune: true });
    expect(steps).toStrictEqual([
      {
        sign: '-',
        instance: 'client-a',
        action: 'drop-db',
        options: { database: 'old' },
        changes: [{ what: 'database old', why: 'not in the file: dropped with all that is in it' }],
        asks: 'drops database old of client-a, with all that is in it',
      },
    ]);
  });

  it('a database is made, or given to another owner', () => {
    const databases = [
      { name: 'client_a', owner: 'client_a', sizeBytes: 1, locale: 'C' },
      { name: 'd', owner: 'client_a', sizeBytes: 1, locale: 'C' },
      { name: 'e', owner: 'u', sizeBytes: 1, locale: 'C' },
    ];
    const body = 'databases: { d: { owner: u }, e: {}, f: { owner: u }, g: {} }, users: any';
    const found = plan(one(body), { 'client-a': seen('client-a', { server: { databases } }) });
    expect(found.extra).toStrictEqual([]);
    expect(found.steps.map(({ sign, action, options }) => [sign, action, options])).toStrictEqual([
      ['~', 'create-db', { database: 'd', owner: 'u', 'change-owner': true }],
      ['~', 'create-db', { database: 'e', owner: 'client_a', 'change-owner': true }],
      ['+', 'create-db', { database: 'f', owner: 'u' }],
      ['+', 'create-db', { database: 'g', owner: 'client_a' }],
    ]);
    expect(told(found)).toStrictEqual([
      '~ create-db database d: of client_a → of u',
      '~ create-db database e: of u → of client_a',
      '+ create-db database f: of u',
      '+ create-db database g: of client_a',
    ]);
    expect(
      plan(one('databases: { d: {}, e: { owner: u } }'), { 'client-a': seen('client-a', { server: { databases } }) })
        .steps,
    ).toStrictEqual([]);
  });

  it('migrations and seeds come where there are any that were not applied', () => {
    const body = 'migrations-dir: ./m, seed-path: ./s, databases: { d: { migrations-dir: ./d } }';
    const databases = ['client_a', 'd'].map((name) => ({ name, owner: 'client_a', sizeBytes: 1, locale: 'C' }));
    const observed = { 'client-a': seen('client-a', { server: { databases } }) };
    const pending = {
      client_a: { migrations: ['1.sql'], seeds: ['a.sql', 'b.sql'] },
      d: { migrations: [], seeds: ['c.sql'] },
    };
    expect(plan(one(body), observed).steps).toStrictEqual([]);
    expect(plan(one(body), observed, { pending }).steps).toStrictEqual([
      {
        sign: '+',
        instance: 'client-a',
        action: 'migrate',
        options: { 'migrations-dir': '/srv/m', database: 'client_a' },
        changes: [{ what: 'migrations of client_a', after: '1.sql' }],
      },
      {
        sign: '+',
        instance: 'client-a',
        action: 'seed',
        options: { 'seed-path': '/srv/s', database: 'client_a' },
        changes: [{ what: 'seeds of client_a', after: 'a.sql, b.sql' }],
      },
    ]);
  });
});

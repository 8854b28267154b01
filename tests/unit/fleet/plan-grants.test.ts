import { describe, expect, it } from '@jest/globals';
import { holding, one, plan, role, seen, told } from './situation.ts';

describe('users', () => {
  const planned = (body: string, server: Parameters<typeof seen>[1], prune = false) =>
    plan(one(body), { 'client-a': seen('client-a', server) }, { prune });

  it('who may not log in are given a password', () => {
    const { steps } = planned('users: { app: {} }', { server: { roles: [role('app', { canLogin: false })] } });
    expect(steps).toStrictEqual([
      {
        sign: '~',
        instance: 'client-a',
        action: 'create-user',
        options: { username: 'app' },
        changes: [{ what: 'user app', before: 'no login', after: 'login' }],
      },
    ]);
  });

  it('go with --prune, what they own to the role of the instance; roles that cannot log in and its own role stay', () => {
    const roles = [role('client_a'), role('group', { canLogin: false }), role('old')];
    const found = planned('users: {}', { server: { roles } }, true);
    expect(found.steps).toStrictEqual([
      {
        sign: '-',
        instance: 'client-a',
        action: 'drop-user',
        options: { username: 'old', 'reassign-to': 'client_a' },
        changes: [{ what: 'user old', why: 'not in the file: what it owns goes to client_a' }],
        asks: 'drops user old of client-a',
      },
    ]);
    expect(found.extra).toStrictEqual([]);
  });

  it('are not looked at where any may be there, databases are', () => {
    const databases = [
      { name: 'client_a', owner: 'client_a', sizeBytes: 1, locale: 'C' },
      { name: 'old', owner: 'client_a', sizeBytes: 1, locale: 'C' },
    ];
    const server = { server: { roles: [role('old')], databases } };
    expect(planned('users: any', server).extra).toStrictEqual(['database old of client-a']);
    expect(planned('databases: any', server).extra).toStrictEqual(['user old of client-a']);
  });

  it('are joined to groups and given privileges, on each database by itself', () => {
    const there = { server: { roles: [role('app', { memberOf: ['x'] })], privileges: holding({ onTables: 'read' }) } };
    const { steps } = planned(
      'databases: any, users: { app: { privileges: { client_a: "write,createdb", d: read }, member-of: [x, y] } }',
      there,
    );
    expect(steps.map(({ sign, options, changes }) => [sign, options, changes])).toStrictEqual([
      [
        '~',
        { username: 'app', database: 'client_a', privileges: 'write,createdb', 'member-of': 'y' },
        [
          { what: 'user app', after: 'write, createdb on client_a' },
          { what: 'user app', after: 'member of y' },
        ],
      ],
      ['~', { username: 'app', database: 'd', privileges: 'read' }, [{ what: 'user app', after: 'read on d' }]],
    ]);
  });

  it('lose on a database that the file does not speak of, and keep what is the same in all of them', () => {
    const app = { isOwner: false, onDatabase: ['temporary' as const], onTables: 'write' as const };
    const roles = [role('app', { attributes: ['createdb'], memberOf: ['x'] })];
    const privileges = new Map([
      ['client_a', new Map()],
      ['d', new Map([['app', app]])],
    ]);
    const body = 'databases: any, users: { app: { privileges: createdb, member-of: [x] } }';
    expect(planned(body, { server: { roles, privileges } }, true).steps).toStrictEqual([
      {
        sign: '-',
        instance: 'client-a',
        action: 'create-user',
        options: { username: 'app', database: 'd', without: 'write,temporary' },
        changes: [{ what: 'user app', before: 'write, temporary on d', why: 'not in the file' }],
        asks: 'takes from app of client-a: write, temporary on d',
      },
    ]);
  });

  it('who only leave a group lose nothing else', () => {
    const roles = [role('app', { memberOf: ['x', 'y'] })];
    const body = 'users: { app: { privileges: read, member-of: [y] } }';
    const server = { roles, privileges: holding({ onTables: 'read', onDatabase: ['connect'] }) };
    expect(planned(body, { server }, true).steps).toStrictEqual([
      expect.objectContaining({
        options: { username: 'app', database: 'client_a', 'not-member-of': 'x' },
        changes: [{ what: 'user app', before: 'member of x', why: 'not in the file' }],
        asks: 'takes from app of client-a: member of x',
      }),
    ]);
  });

  it('may connect where they may read, whether that was granted or not; elsewhere it counts', () => {
    const held = (rights: object) => ({ server: { roles: [role('app')], privileges: holding(rights) } });
    const read = 'users: { app: { privileges: read } }';
    expect(planned(read, held({ onTables: 'read' }))).toMatchObject({ steps: [], extra: [] });
    expect(planned(read, held({ onTables: 'read', onDatabase: ['connect'] }))).toMatchObject({ steps: [], extra: [] });
    expect(planned('users: { app: {} }', held({ onDatabase: ['connect'] })).extra).toStrictEqual([
      'user app of client-a (connect on client_a)',
    ]);
    expect(told(planned('users: { app: { privileges: "read,connect" } }', held({ onTables: 'read' })))).toStrictEqual([
      '~ create-user user app: connect on client_a',
    ]);
    const both = 'users: { app: { privileges: "read,connect" } }';
    expect(planned(both, held({ onTables: 'read', onDatabase: ['connect'] }))).toMatchObject({ steps: [], extra: [] });
  });

  it('hold what was granted, beside what comes with the right to read, and nothing else', () => {
    const none = { server: { roles: [role('app')] } };
    expect(told(planned('users: { app: { privileges: create } }', none))).toStrictEqual([
      '~ create-user user app: create on client_a',
    ]);
    const rights = holding({ onTables: 'read', onDatabase: ['connect', 'create'] });
    const held = { server: { roles: [role('app')], privileges: rights } };
    expect(planned('users: { app: { privileges: "read,create" } }', held)).toMatchObject({ steps: [], extra: [] });
  });

  it('who own the database may do all with it: nothing is missing, nothing too much', () => {
    const owner = { server: { roles: [role('app')], privileges: holding({ isOwner: true, onDatabase: ['create'] }) } };
    for (const body of ['users: { app: {} }', 'users: { app: { privileges: "create,temporary" } }']) {
      expect(planned(body, owner)).toMatchObject({ steps: [], extra: [] });
    }
  });
});

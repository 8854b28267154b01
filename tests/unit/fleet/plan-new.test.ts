import { describe, expect, it } from '@jest/globals';
import { one, plan } from './situation.ts';

const pending = {
  shop: { migrations: ['1.sql'], seeds: ['a.sql'] },
  d: { migrations: ['2.sql'], seeds: ['b.sql'] },
};

/** What is done, in order, and what it is called with. */
function calls(body: string) {
  return plan(one(body), {}, { pending }).steps.map(({ sign, action, options }) => [sign, action, options]);
}

describe('a new instance', () => {
  it('is called with nothing that is not declared', () => {
    expect(plan(one(), {}).steps).toStrictEqual([
      {
        sign: '+',
        instance: 'client-a',
        action: 'create',
        options: { template: 'minimal' },
        changes: [{ what: 'instance', after: 'PostgreSQL 16, template minimal, port auto, 192MB' }],
        pgVersion: 16,
      },
    ]);
    expect(calls('databases: any, users: any, archive: command, overcommit: false')).toHaveLength(1);
  });

  it('is called with all that is declared', () => {
    const body = `pg-version: 15, port: 5440, memory: 500MB, max-connections: 30, set: { work_mem: 8MB },
      overcommit: true, archive: streaming, username: boss, database: shop, locale: C.UTF-8`;
    const [step] = plan(one(body), {}).steps;
    expect(step).toMatchObject({
      options: {
        template: 'minimal',
        port: '5440',
        memory: '500MB',
        'max-connections': 30,
        set: 'work_mem=8MB',
        overcommit: true,
        archive: 'streaming',
        username: 'boss',
        database: 'shop',
        locale: 'C.UTF-8',
      },
      changes: [{ what: 'instance', after: 'PostgreSQL 15, template minimal, port 5440, 500MB' }],
      pgVersion: 15,
    });
    expect(calls('port-range: 6000-6010')[0]?.[2]).toStrictEqual({ template: 'minimal', 'port-range': '6000-6010' });
  });

  it('gets users, databases, a pooler, migrations and seeds, and then privileges', () => {
    const body = `username: boss, database: shop, migrations-dir: ./m, seed-path: ./s,
      pooler: { mode: session, size: 5, port: 6432 },
      databases: { d: { migrations-dir: ./d, seed-path: ./e }, e: { owner: app } },
      users: { boss: {}, app: { privileges: { shop: 'write,createdb', d: read }, member-of: [boss] } }`;
    expect(calls(body)).toStrictEqual([
      ['+', 'create', { template: 'minimal', username: 'boss', database: 'shop' }],
      ['+', 'create-user', { username: 'app' }],
      ['+', 'create-db', { database: 'd', owner: 'boss' }],
      ['+', 'create-db', { database: 'e', owner: 'app' }],
      ['+', 'pooler', { 'pool-mode': 'session', 'pool-size': 5, port: '6432' }],
      ['+', 'migrate', { database: 'shop', 'migrations-dir': '/srv/m' }],
      ['+', 'seed', { database: 'shop', 'seed-path': '/srv/s' }],
      ['+', 'migrate', { database: 'd', 'migrations-dir': '/srv/d' }],
      ['+', 'seed', { database: 'd', 'seed-path': '/srv/e' }],
      ['+', 'create-user', { username: 'app', database: 'shop', privileges: 'write,createdb', 'member-of': 'boss' }],
      ['+', 'create-user', { username: 'app', database: 'd', privileges: 'read' }],
    ]);
  });

  it('has a role and a database of its own name where nothing else is declared', () => {
    expect(calls('users: { client_a: {}, app: { privileges: read } }, databases: { d: {} }').slice(1)).toStrictEqual([
      ['+', 'create-user', { username: 'app' }],
      ['+', 'create-db', { database: 'd', owner: 'client_a' }],
      ['+', 'create-user', { username: 'app', database: 'client_a', privileges: 'read' }],
    ]);
  });

  it('says what it gets', () => {
    const body = `pooler: { port: 6432 }, migrations-dir: ./m, databases: { d: { seed-path: ./e } },
      users: { app: { privileges: read, member-of: [x, y] } }, state: stopped, database: shop`;
    const { steps } = plan(one(body), {}, { pending });
    expect(steps.slice(1).map(({ sign, changes }) => [sign, changes])).toStrictEqual([
      ['+', [{ what: 'user app', after: 'with a new password' }]],
      ['+', [{ what: 'database d', after: 'of client_a' }]],
      ['+', [{ what: 'pooler', after: 'port 6432' }]],
      ['+', [{ what: 'migrations of shop', after: '1.sql' }]],
      ['+', [{ what: 'seeds of d', after: 'b.sql' }]],
      [
        '+',
        [
          { what: 'user app', after: 'read on shop' },
          { what: 'user app', after: 'member of x, y' },
        ],
      ],
      ['~', [{ what: 'state', after: 'stopped' }]],
    ]);
    expect(steps.at(-1)?.action).toBe('stop');
  });
});

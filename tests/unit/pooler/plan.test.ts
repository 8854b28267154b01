import { describe, expect, it } from '@jest/globals';
import { planPooler, type PoolerFacts } from '../../../lib/pooler/plan.ts';
import { parsePgbouncerVersion, type PoolMode } from '../../../lib/pooler/program.ts';
import { portIn, renderPooler } from '../../../lib/pooler/render.ts';

const facts: PoolerFacts = {
  maxConnections: 50,
  reserved: 3,
  databases: ['shop'],
  version: '1.18.0',
  openFiles: 20_000,
};

describe('the plan of a pooler', () => {
  it('keeps a tenth free for direct connections, and one to look up secrets', () => {
    expect(planPooler(facts, {})).toMatchObject({
      pools: [{ database: 'shop', poolSize: 41, limit: 42 }],
      serverConnections: 42,
      directConnections: 5,
      maxClients: 1000,
      warnings: [],
    });
  });

  it('keeps two to ten free, of what the server does not reserve', () => {
    const direct = (maxConnections: number) => planPooler({ ...facts, maxConnections }, {}).directConnections;
    expect([direct(13), direct(23), direct(24), direct(93), direct(94), direct(500)]).toEqual([2, 2, 3, 9, 10, 10]);
  });

  it('divides the rest in equal parts, and what is over stays free', () => {
    expect(planPooler({ ...facts, databases: ['a', 'b', 'c', 'd'] }, {})).toMatchObject({
      pools: ['a', 'b', 'c', 'd'].map((database) => ({ database, poolSize: 9, limit: 10 })),
      serverConnections: 40,
      directConnections: 7,
    });
  });

  it('shares transactions only where prepared statements survive that, unless told otherwise', () => {
    const modes = ['1.20.1', '1.21.0', '2.0'].map((version) => planPooler({ ...facts, version }, {}).mode);
    expect(modes).toEqual(['session', 'transaction', 'transaction']);
    expect(planPooler(facts, {}).modeReason).toContain('loses prepared statements');
    const asked = planPooler(facts, { mode: 'transaction' });
    expect([asked.mode, asked.warnings]).toEqual(['transaction', [expect.stringContaining('prepare none')]]);
    const reason = (version: string, mode?: PoolMode) => planPooler({ ...facts, version }, { mode }).modeReason;
    expect([reason('1.20.1', 'session'), reason('1.24.1', 'session')]).toEqual(['asked for', 'asked for']);
    expect(reason('1.24.1')).toContain('carries prepared statements');
    for (const mode of ['session', 'transaction'] as const) {
      expect(planPooler({ ...facts, version: '1.24.1' }, { mode })).toMatchObject({ mode, warnings: [] });
    }
    expect(planPooler(facts, { mode: 'session' })).toMatchObject({ mode: 'session', warnings: [] });
  });

  it('refuses pools that do not fit, with the sum and what would', () => {
    const databases = ['shop', 'stock'];
    expect(() => planPooler({ ...facts, databases }, { poolSize: 21 })).toThrow(
      expect.objectContaining({
        code: 'POOLER_BUDGET',
        message:
          'the pools do not fit: 50 connections less 3 reserved and 5 for direct use leave 42, 2 databases × 22 (one of them to look up secrets) are 44',
        hint: 'ask for what is left: --pool-size 20',
        data: { maxConnections: 50, reserved: 3, left: 42, needed: 44 },
      }),
    );
    expect(planPooler({ ...facts, databases }, { poolSize: 20 }).serverConnections).toBe(42);
    expect(() => planPooler({ ...facts, maxConnections: 6 }, {})).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('leave 1, 1 database × 2 (one of them to look up secrets) are 2'),
        hint: expect.stringContaining('raise max_connections'),
      }),
    );
    // The smallest there is: one for clients, one to look up secrets.
    expect(planPooler({ ...facts, maxConnections: 7 }, {}).pools[0]).toMatchObject({ poolSize: 1, limit: 2 });
    expect(() => planPooler({ ...facts, maxConnections: 7 }, { poolSize: 2 })).toThrow(
      expect.objectContaining({ hint: 'ask for what is left: --pool-size 1' }),
    );
    expect(() => planPooler({ ...facts, maxConnections: 4 }, {})).toThrow(
      expect.objectContaining({ message: expect.stringContaining('leave 0,') }),
    );
    expect(() => planPooler(facts, { poolSize: 0 })).toThrow(expect.objectContaining({ code: 'POOLER_BUDGET' }));
  });

  it('leaves out what PgBouncer cannot name, and says so', () => {
    const names = ['shop', 'my shop', 'pgbouncer', ' x', 'é', 'Shop_2.0-b'];
    const plan = planPooler({ ...facts, databases: names }, {});
    expect(plan.pools.map(({ database }) => database)).toEqual(['shop', 'Shop_2.0-b']);
    expect(plan.warnings.map((text) => /"(.*)"/.exec(text)?.[1])).toEqual(['my shop', 'pgbouncer', ' x', 'é']);
    const refusal = (databases: string[]) =>
      expect.objectContaining({
        code: 'POOLER_FAILED',
        message: expect.stringContaining(`(there are: ${databases.map((name) => `"${name}"`).join(', ') || 'none'})`),
        hint: expect.stringContaining('letters'),
      });
    for (const databases of [['my shop', 'pgbouncer'], []]) {
      expect(() => planPooler({ ...facts, databases }, {})).toThrow(refusal(databases));
    }
  });

  it('takes no more clients than files may be open', () => {
    expect(planPooler({ ...facts, openFiles: 256 }, {}).maxClients).toBe(256 - 42 - 64);
    // Fewer clients than server connections would be no use.
    expect(planPooler({ ...facts, openFiles: 120 }, {}).maxClients).toBe(42);
  });
});

describe('the version of PgBouncer', () => {
  it('is read from what it says', () => {
    expect(parsePgbouncerVersion('PgBouncer 1.18.0\nlibevent 2.1.12-stable\n')).toBe('1.18.0');
    expect(parsePgbouncerVersion('pgbouncer version 1.7')).toBe('1.7');
    expect(() => parsePgbouncerVersion('busybox v1.36')).toThrow(expect.objectContaining({ code: 'NO_PGBOUNCER' }));
  });
});

describe('the configuration', () => {
  const render = (version: string) =>
    renderPooler(
      { socket: '/r/run' },
      {
        name: 'shop',
        port: 5440,
        server: { host: "/r/it's here", port: 5433 },
        plan: planPooler({ ...facts, version }, {}),
        version,
        template: '[pgbouncer]\nquery_wait_timeout = 5\n',
      },
    );

  it('names the databases with their limits, and has the last word after the template', () => {
    const lines = render('1.18.0').split('\n');
    expect(lines).toContain("shop = host='/r/it''s here' port=5433 dbname='shop' pool_size=41 max_db_connections=42");
    expect(lines.indexOf('query_wait_timeout = 5')).toBeLessThan(lines.indexOf('listen_port = 5440'));
    expect(lines).toContain('auth_type = scram-sha-256');
    expect(portIn(render('1.18.0'))).toBe(5440);
    expect(portIn(undefined)).toBeUndefined();
  });

  it('carries prepared statements where the version can; an older one would not start with that setting', () => {
    expect(render('1.21.0')).toMatch(/^max_prepared_statements = 200$/m);
    expect(render('1.18.0')).not.toContain('max_prepared_statements');
  });
});

import { describe, expect, it } from '@jest/globals';
import { planPooler, type PoolerFacts } from '../../../lib/pooler/plan.ts';
import { parsePgbouncerVersion } from '../../../lib/pooler/program.ts';
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

  it('shares transactions only where prepared statements survive that, unless told otherwise', () => {
    const modes = ['1.20.1', '1.21.0', '2.0'].map((version) => planPooler({ ...facts, version }, {}).mode);
    expect(modes).toEqual(['session', 'transaction', 'transaction']);
    expect(planPooler(facts, {}).modeReason).toContain('loses prepared statements');
    const asked = planPooler(facts, { mode: 'transaction' });
    expect([asked.mode, asked.warnings]).toEqual(['transaction', [expect.stringContaining('prepare none')]]);
    expect(planPooler({ ...facts, version: '1.24.1' }, { mode: 'session' })).toMatchObject({ mode: 'session' });
  });

  it('refuses pools that do not fit, with the sum and what would', () => {
    const databases = ['shop', 'stock'];
    expect(() => planPooler({ ...facts, databases }, { poolSize: 21 })).toThrow(
      expect.objectContaining({
        code: 'POOLER_BUDGET',
        message:
          'the pools do not fit: 50 connections less 3 reserved and 5 for direct use leave 42, 2 databases × 22 (one of them to look up secrets) are 44',
        hint: 'ask for what is left: --pool-size 20',
      }),
    );
    expect(planPooler({ ...facts, databases }, { poolSize: 20 }).serverConnections).toBe(42);
    expect(() => planPooler({ ...facts, maxConnections: 6 }, {})).toThrow(
      expect.objectContaining({ code: 'POOLER_BUDGET', hint: expect.stringContaining('raise max_connections') }),
    );
  });

  it('leaves out what PgBouncer cannot name, and says so', () => {
    const plan = planPooler({ ...facts, databases: ['shop', 'my shop', 'pgbouncer'] }, {});
    expect(plan.pools.map(({ database }) => database)).toEqual(['shop']);
    expect(plan.warnings).toHaveLength(2);
    expect(() => planPooler({ ...facts, databases: ['my shop'] }, {})).toThrow(
      expect.objectContaining({ code: 'POOLER_FAILED' }),
    );
  });

  it('takes no more clients than files may be open', () => {
    expect(planPooler({ ...facts, openFiles: 256 }, {}).maxClients).toBe(256 - 42 - 64);
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

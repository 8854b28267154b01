import { describe, expect, it } from '@jest/globals';
import { planSwap } from '../../../../lib/backups/dumps/in-place.ts';
import { renamed } from '../../../../lib/backups/dumps/renamed.ts';
import { planRoles } from '../../../../lib/backups/dumps/roles.ts';
import { statementsIn } from '../../../../lib/backups/dumps/statements.ts';

const roles = `--
-- PostgreSQL database cluster dump; it's "odd"
--
\\restrict abc
SET standard_conforming_strings = on;
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER;
CREATE ROLE "Ann;'s";
ALTER ROLE "Ann;'s" WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b''c';
CREATE ROLE shop;
COMMENT ON ROLE shop IS 'first;
-- second';
GRANT shop TO "Ann;'s" GRANTED BY postgres;
GRANT shop TO postgres GRANTED BY postgres;
`;

describe('statementsIn', () => {
  it('ends statements at semicolons outside of quotes, and leaves comments of the script alone out', () => {
    expect(statementsIn(roles).slice(0, 2)).toEqual(['SET standard_conforming_strings = on', 'CREATE ROLE postgres']);
    expect(statementsIn(roles)).toContain("COMMENT ON ROLE shop IS 'first;\n-- second'");
    expect(statementsIn(roles)).toHaveLength(9);
  });
});

describe('planRoles', () => {
  it('makes what is missing, and leaves alone what is to stay as it is', () => {
    const there = new Set(['postgres', 'shop']);
    expect(planRoles(roles, { present: there, untouched: there })).toEqual([
      'CREATE ROLE "Ann;\'s"',
      `ALTER ROLE "Ann;'s" WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b''c'`,
      'GRANT shop TO "Ann;\'s" GRANTED BY postgres',
    ]);
  });

  it('brings a role that is there up to the dump where it may', () => {
    const planned = planRoles(roles, { present: new Set(['postgres', 'shop']), untouched: new Set(['postgres']) });
    expect(planned).not.toContain('CREATE ROLE shop');
    expect(planned).toContain("COMMENT ON ROLE shop IS 'first;\n-- second'");
    expect(planned).toContain('GRANT shop TO postgres GRANTED BY postgres');
  });
});

describe('renamed', () => {
  it('speaks of another database, whatever is in its quotes', () => {
    const script = `\\connect "a b"
SET row_security = off;
CREATE DATABASE "a b" WITH TEMPLATE = template0 LOCALE = 'C';
ALTER DATABASE "a b" SET application_name TO 'DATABASE x';
REVOKE CONNECT ON DATABASE "a b" FROM PUBLIC;
`;
    expect(renamed(script, 'n$&w')).toEqual([
      `CREATE DATABASE "n$&w" WITH TEMPLATE = template0 LOCALE = 'C'`,
      `ALTER DATABASE "n$&w" SET application_name TO 'DATABASE x'`,
      'REVOKE CONNECT ON DATABASE "n$&w" FROM PUBLIC',
    ]);
  });
});

describe('planSwap', () => {
  it('makes names that fit', () => {
    const { fresh, aside } = planSwap('ä'.repeat(31), true, '0123456789', '20261122T101500Z');
    expect(aside).toBe(`${'ä'.repeat(20)}_before_20261122101500`);
    expect(Buffer.byteLength(fresh)).toBeLessThanOrEqual(63);
    expect(planSwap('new', false, '0123456789', '20261122T101500Z').aside).toBeNull();
  });
});

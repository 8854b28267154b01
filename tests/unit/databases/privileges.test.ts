import { describe, expect, it } from '@jest/globals';
import { grantStatements, readPrivileges } from '../../../lib/databases/privileges.ts';

const place = { database: 'shop', schemas: ['public'], makers: ['owner'] };

describe('readPrivileges', () => {
  it.each([
    [undefined, { attributes: [], onDatabase: [], onTables: undefined }],
    ['CREATE, CONNECT', { attributes: [], onDatabase: ['connect', 'create'], onTables: undefined }],
    ['CREATEDB', { attributes: ['createdb'], onDatabase: [], onTables: undefined }],
    ['readonly', { attributes: [], onDatabase: [], onTables: 'read' }],
    ['read,write', { attributes: [], onDatabase: [], onTables: 'write' }],
  ])('%s', (text, expected) => {
    expect(readPrivileges(text)).toEqual(expected);
  });

  it('names the nearest word, and has none for the superuser', () => {
    expect(() => readPrivileges('wirte')).toThrow('did you mean write?');
    expect(() => readPrivileges('superuser')).toThrow('is no privilege');
  });
});

describe('grantStatements', () => {
  it('nothing asked for, nothing granted', () => {
    expect(grantStatements('app', readPrivileges(''), place)).toEqual([]);
  });

  it('read covers what is there and what the makers will make', () => {
    const statements = grantStatements('app', readPrivileges('read'), place);
    expect(statements).toContain('grant connect on database "shop" to "app"');
    expect(statements).toContain('grant select on all tables in schema "public" to "app"');
    expect(statements).toContain('alter default privileges for role "owner" grant select on tables to "app"');
    expect(statements.join(';')).not.toMatch(/insert|delete|update/);
  });
});

import { describe, expect, it } from '@jest/globals';
import {
  grantStatements,
  privilegesBeyond,
  readPrivileges,
  revokeStatements,
} from '../../../lib/databases/privileges.ts';

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

describe('revokeStatements', () => {
  it('takes back what was granted, the future too', () => {
    const statements = revokeStatements('app', readPrivileges('write,createdb,create'), place);
    expect(statements).toContain('alter role "app" nocreatedb');
    expect(statements).toContain('revoke create on database "shop" from "app"');
    expect(statements).toContain('revoke all on all tables in schema "public" from "app"');
    expect(statements).toContain('alter default privileges for role "owner" revoke all on tables from "app"');
    expect(statements.join(';')).not.toContain('grant');
  });
});

describe('privilegesBeyond', () => {
  it.each([
    ['read', '', 'read'],
    ['read', 'write', ''],
    ['write,createdb', 'read,createdb', 'write'],
    ['connect,create', 'connect', 'create'],
  ])('%j beyond %j is %j', (wanted, held, missing) => {
    expect(privilegesBeyond(readPrivileges(wanted), readPrivileges(held))).toEqual(readPrivileges(missing));
  });
});

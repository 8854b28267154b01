import { describe, expect, it } from '@jest/globals';
import { updateEnvironmentText } from '../../../lib/instances/env-file.ts';
import { loginAt } from '../../../lib/instances/login.ts';
import { loginFormats } from '../../../lib/instances/login-formats.ts';

const login = loginAt({ port: 5433, database: 'shop & co', username: "o'neil" }, String.raw`a:b\c d`);

describe('loginFormats', () => {
  it.each([
    ['url', String.raw`postgresql://o'neil:a%3Ab%5Cc%20d@127.0.0.1:5433/shop%20%26%20co`],
    ['jdbc', 'jdbc:postgresql://127.0.0.1:5433/shop%20%26%20co?user=o%27neil&password=a%3Ab%5Cc+d'],
    ['pgpass', String.raw`127.0.0.1:5433:shop & co:o'neil:a\:b\\c d`],
    ['psql', String.raw`PGPASSWORD='a:b\c d' psql -h 127.0.0.1 -p 5433 -U 'o'\''neil' -d 'shop & co'`],
    ['service', String.raw`[client-a]|host=127.0.0.1|port=5433|dbname=shop & co|user=o'neil|password=a:b\c d`],
  ] as const)('%s escapes as its reader expects', (format, expected) => {
    expect(loginFormats[format](login, 'client-a').replaceAll('\n', '|')).toBe(expected);
  });

  it('n8n and node-red are JSON with their own names for things', () => {
    expect(JSON.parse(loginFormats.n8n(login))).toMatchObject({ user: "o'neil", ssl: 'disable', port: 5433 });
    expect(JSON.parse(loginFormats['node-red'](login, 'client-a'))).toMatchObject({
      name: 'client-a',
      credentials: { user: "o'neil" },
    });
  });
});

describe('updateEnvironmentText', () => {
  const plain = loginAt({ port: 5433, database: 'shop', username: 'shop' }, 'secret');

  it('makes a file, and finds nothing to change in it afterwards', () => {
    const text = updateEnvironmentText('', plain);
    expect(text.split('\n')[0]).toBe('DATABASE_URL=postgresql://shop:secret@127.0.0.1:5433/shop');
    expect(updateEnvironmentText(text, plain)).toBe(text);
  });

  it('leaves comments, order and foreign lines, and a last line without its end', () => {
    const text = updateEnvironmentText('# PGPORT=9\nA=1\n  export PGPORT = 1\n\nB="x=y"', plain);
    expect(text).toMatch(/^# PGPORT=9\nA=1\n {2}export PGPORT=5433\n\nB="x=y"\nDATABASE_URL=/);
  });
});

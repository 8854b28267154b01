import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let config: string;

/** As the old tool's documentation shows it. */
const injection = {
  data: [
    { type: 'schema', file: 'sql/schema.sql' },
    { type: 'seed', file: 'sql/seed.sql' },
    { type: 'migration', file: 'sql/reports.sql', database: 'reports' },
  ],
  databases: [{ name: 'reports', owner: 'analyst' }],
  users: [
    { name: 'analyst', password: 'secret', privileges: ['CREATE', 'CONNECT'] },
    { name: 'reader', privileges: 'read' },
  ],
};

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('client-a');
  mkdirSync(join(sandbox.folder, 'sql'));
  config = join(sandbox.folder, 'injection.json');
  writeFileSync(config, JSON.stringify(injection));
  writeFileSync(join(sandbox.folder, 'sql', 'schema.sql'), 'create table thing (n int primary key);\n');
  writeFileSync(join(sandbox.folder, 'sql', 'seed.sql'), 'insert into thing values (1), (2) on conflict do nothing;\n');
  writeFileSync(join(sandbox.folder, 'sql', 'reports.sql'), 'create table report (n int);\n');
});
afterAll(async () => await sandbox.cleanup());

async function ask(sql: string, ...who: string[]): Promise<string> {
  return (await sandbox.manage(['psql', 'client-a', ...who, '--', '-XAtc', sql])).stdout.trim();
}

it('validates without a server, and names every fault', async () => {
  const validate = ['--action', 'validate-injection', '--injection-config'];
  expect(await sandbox.manage([...validate, config])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^valid: /),
  });
  const bad = { data: [{ type: 'sed', file: 'x.sql' }], users: [{ name: 'pg_x', privileges: ['everything'] }] };
  const { code, stderr } = await sandbox.manage([...validate, JSON.stringify(bad)]);
  expect(code).toBe(2);
  for (const fault of ['data: 0: type', 'users: 0: name', '"everything" is no privilege'])
    expect(stderr).toContain(fault);
  const missing = await sandbox.manage([...validate, '{"data": [{"type": "seed", "file": "none.sql"}]}']);
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('none.sql') });
});

it('makes users, databases and data, and finds them there the second time', async () => {
  const args = ['inject', 'client-a', '--injection-config', config, '--json'];
  expect(dataOf(await sandbox.manage(args))).toMatchObject({
    users: ['analyst', 'reader'],
    databases: ['reports'],
    applied: [
      { file: 'sql/schema.sql', database: 'client_a' },
      { file: 'sql/seed.sql', database: 'client_a' },
      { file: 'sql/reports.sql', database: 'reports' },
    ],
  });
  expect(await ask('select count(*) from thing', '-u', 'reader')).toBe('2');
  expect(await ask('select current_user', '-u', 'analyst', '-d', 'reports')).toBe('analyst');
  expect(dataOf(await sandbox.manage(args))).toMatchObject({ users: [], databases: [], applied: [] });
});

it('what fails names file and line, and what was done before it stays done', async () => {
  writeFileSync(join(sandbox.folder, 'sql', 'seed.sql'), '-- one\ninsert into nothing values (1);\n');
  const failed = await sandbox.manage(['inject', 'client-a', '--injection-config', config]);
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/seed\.sql:2/) });
  expect(await ask('select count(*) from thing')).toBe('2');
});

import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { dataOf } from '../helpers/answer.ts';
import { type Finished, listTree, makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { Crontab } from '../helpers/crontab.ts';
import { addressOf, query } from '../helpers/database.ts';
import { putFiles } from '../helpers/files.ts';
import { expectInvariants } from '../helpers/invariants.ts';

let sandbox: Sandbox;
let crontab: Crontab;
let folder: string;

const fleet = (portRange: string): string => `
defaults:
  template: minimal
  port-range: ${portRange}
instances:
  client-a:
    set: { work_mem: 3MB, search_path: '"$user", public' }
    pooler: true
    migrations-dir: ./migrations
    databases: { reports: { owner: analyst } }
    users:
      analyst: { privileges: { client_a: write, reports: all }, member-of: [readers] }
      readers: { privileges: read }
  client-b: { template: ./own.yaml, users: { readers: { privileges: read } } }
  client-c: { max-connections: 20, seed-path: ./seeds }
schedule: { backup: '0 2 * * *', keep: 7, with: cron }
`;

const template = (slow: string): string =>
  `description: ours\nworkload: mixed\nmemory: 150MB\nconnections: 20\nsettings:\n  log_min_duration_statement: ${slow}\n`;

beforeAll(async () => {
  sandbox = await makeSandbox();
  crontab = new Crontab(sandbox);
  folder = putFiles(join(sandbox.folder, 'fleet'), {
    'fleet.yaml': fleet(sandbox.portRange),
    'own.yaml': template('1s'),
  });
  putFiles(join(folder, 'migrations'), {
    '001_notes.sql': 'CREATE TABLE notes (id int); GRANT SELECT ON notes TO readers;',
  });
  putFiles(join(folder, 'seeds'), { 'kinds.sql': 'CREATE TABLE IF NOT EXISTS kinds (id int);' });
});
afterAll(async () => await sandbox.cleanup());

async function manage(...args: string[]): Promise<Finished> {
  return await sandbox.manage(args, { cwd: folder, env: crontab.env });
}

/** The differences, as `+ client-a database reports`. */
async function differences(...args: string[]): Promise<string[]> {
  const { steps } = dataOf(await manage('apply', '--dry-run', '--json', ...args)) as {
    steps: { sign: string; instance: string | null; changes: { what: string }[] }[];
  };
  return steps.flatMap(({ sign, instance, changes }) =>
    changes.map(({ what }) => `${sign} ${instance === null ? '' : `${instance} `}${what}`),
  );
}

async function expectNothing(...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await manage('apply', ...args);
  expect({ code, stdout: stdout.split('\n')[0], stderr }).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^nothing to change: \d instances?, all as .*\.yaml says$/),
    stderr: '',
  });
}

/** What was changed by hand is told, mended, and no longer told. */
async function mends(expected: string[], ...args: string[]): Promise<void> {
  expect(await differences(...args)).toEqual(expected);
  dataOf(await manage('apply', '--json', ...args));
  expect(await differences(...args)).toEqual([]);
}

/** Statements by the superuser, over the socket. */
async function superAt(name: string, database: string, ...statements: string[]): Promise<void> {
  const folder = join(sandbox.root, 'instances', name);
  const { port } = JSON.parse(readFileSync(join(folder, 'instance.json'), 'utf8')) as { port: number };
  const client = new pg.Client({ host: join(folder, 'run'), port, user: 'postgres', database, password: '' });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

describe('a file of three instances', () => {
  it('is shown before, and nothing is touched', async () => {
    const before = listTree(sandbox.folder);
    const { code, stdout } = await manage('apply', '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\+ +client-a +instance +PostgreSQL \d+, template minimal, port auto, 192MB$/m);
    expect((await manage('apply', '--dry-run', '--exit-code', '--quiet')).code).toBe(1);
    expect(listTree(sandbox.folder)).toEqual(before);
  });

  it('is made, and then there is nothing to change', async () => {
    const { code, stdout, stderr } = await manage('apply', '--jobs', '2');
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/^15 changes made: 3 instances, all as fleet.yaml says\n/);
    await expectNothing();
    expect(crontab.lines()).toHaveLength(2);
    await expectInvariants(sandbox);
  });

  it('lets its users in, by passwords that are in no file of it', async () => {
    const { json } = await manage('connect', 'client-a', '--username', 'analyst', '--json');
    const [row] = await query(json().data as never, 'select count(*)::int as count from notes');
    expect(row).toEqual({ count: 0 });
  });

  it('is written by export: between what is and that file there is no difference', async () => {
    expect((await manage('export', '--file', 'fleet.yaml', '--json')).json().error?.code).toBe('USAGE');
    dataOf(await manage('export', '--file', 'out.yaml', '--json'));
    await expectNothing('--file', 'out.yaml');
    await expectNothing('--file', 'out.yaml', '--prune');
    const { yaml } = dataOf(await manage('export', 'client-b', '--json')) as { yaml: string };
    expect(yaml).toContain(`template: ${folder}/own.yaml`);
    expect(yaml).not.toContain('schedule');
  });
});

describe('what was changed by hand is found and mended', () => {
  it('all at once: settings, template, databases, logins, memberships, grants, pooler, servers, schedule; and new files', async () => {
    await superAt(
      'client-a',
      'postgres',
      "alter system set work_mem = '9MB'",
      'drop database reports',
      'revoke readers from analyst',
      'alter role readers nologin',
    );
    await superAt('client-a', 'client_a', 'revoke insert on notes from analyst');
    const file = join(sandbox.root, 'instances', 'client-a', 'data', 'postgresql.conf');
    appendFileSync(file, "search_path = 'public'\n");
    dataOf(await manage('pooler', 'client-a', '--off', '--json'));
    putFiles(join(folder, 'migrations'), { '002_more.sql': 'CREATE TABLE more (id int);' });
    dataOf(await manage('tune', 'client-b', '--memory', '140MB', '--set', 'jit=off', '--apply', '--json'));
    writeFileSync(join(folder, 'own.yaml'), template('2s'));
    dataOf(await manage('stop', 'client-c', '--immediate', '--json'));
    writeFileSync(join(sandbox.folder, 'bin', 'crontab.txt'), Crontab.others);
    await mends(
      [
        '~ client-a work_mem',
        '~ client-a search_path',
        '~ client-a user readers',
        '+ client-a database reports',
        '+ client-a pooler',
        '+ client-a migrations of client_a',
        '~ client-a user analyst',
        '~ client-a user analyst',
        '~ client-a user analyst',
        '~ client-b memory',
        '~ client-b log_min_duration_statement',
        '~ client-b jit',
        '~ client-b restart',
        '~ client-c state',
        '~ schedule',
      ],
      '--yes',
    );
    const conf = readFileSync(file, 'utf8');
    expect(conf).toContain("# taken out by pg-manage tune --replace-own: search_path = 'public'\n");
  });

  it('again: wishes, another template, an owner, a schedule; and what a stopped server holds is seen when it runs', async () => {
    await superAt('client-a', 'postgres', 'alter database reports owner to client_a');
    await superAt('client-b', 'client_b', 'drop owned by readers', 'drop role readers');
    dataOf(await manage('tune', 'client-a', '--set', 'work_mem=7MB', '--apply', '--json'));
    dataOf(await manage('stop', 'client-b', '--json'));
    dataOf(await manage('tune', 'client-b', '--template', 'minimal', '--apply', '--json'));
    dataOf(await manage('schedule', 'all', '--backup', 'daily', '--with', 'cron', '--yes', '--json'));
    expect(await differences()).toEqual([
      '~ client-a work_mem',
      '~ client-a database reports',
      '~ client-a user analyst',
      '~ client-b template',
      '~ client-b log_min_duration_statement',
      '~ client-b state',
      '~ schedule backup',
      '~ schedule keep',
    ]);
    const { code, stdout, stderr } = await manage('apply');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^8 changes made: 3 instances,/) });
    expect(stderr).toContain('client-b does not run: what is in it is compared when it does\n');
    expect(stderr).toMatch(/^\+ +client-b +user readers +read on client_b$/m);
    await expectNothing();
  });
});

describe('what the file does not name', () => {
  const extra = async (): Promise<string[]> => dataOf(await manage('apply', '--dry-run', '--json')).extra as string[];

  it('is left alone, and told; with --prune it goes, when that is confirmed', async () => {
    await sandbox.create('stray', '--template', 'minimal');
    await superAt(
      'client-a',
      'postgres',
      'create database old',
      'create role stranger login',
      'grant stranger to readers',
      'alter role readers createdb',
    );
    dataOf(await manage('pooler', 'client-c', '--port-range', sandbox.portRange, '--json'));
    expect((await extra()).toSorted()).toEqual([
      'database old of client-a',
      'instance stray',
      'pooler of client-c',
      'user readers of client-a (createdb on client_a)',
      'user readers of client-a (member of stranger)',
      'user stranger of client-a',
    ]);
    const refused = await manage('apply', '--prune', '--json');
    expect(refused.json().error?.code).toBe('CONFIRMATION_REQUIRED');
    const { stdout } = await manage('apply');
    expect(stdout).toMatch(/^nothing to change.*\nnot in the file, left alone \(see --prune\): instance stray, /);
    dataOf(await manage('apply', '--prune', '--yes', '--json'));
    await expectNothing('--prune');
    expect(readdirSync(join(sandbox.root, '.pg-manage', 'quarantine'))).toEqual([expect.stringMatching(/^stray-/)]);
  });

  it('is out of sight of a selector that does not mean it', async () => {
    expect(await differences('--instance', 'client-b', '--prune')).toEqual([]);
    expect((await manage('apply', '--instance', 'nobody', '--json')).json().error?.code).toBe('INSTANCE_NOT_FOUND');
  });
});

describe('what cannot be is refused before anything is touched', () => {
  const other = async (text: string): Promise<Finished> => {
    putFiles(folder, { 'other.yaml': text });
    const before = listTree(join(sandbox.root, 'instances'));
    const finished = await manage('apply', '--file', 'other.yaml', '--yes', '--json');
    expect(listTree(join(sandbox.root, 'instances'))).toEqual(before);
    return finished;
  };
  const alone = (line: string): string =>
    `defaults: { template: minimal }\ninstances:\n  new: {}\n  client-c: { ${line} }\n`;

  it('version, locale, names: all of them told at once', async () => {
    const { code, json } = await other(alone('pg-version: 13, locale: de_DE.UTF-8, database: other, username: other'));
    const refusals = (json().error?.data?.['refusals'] ?? []) as { text: string }[];
    expect({ code, error: json().error?.code }).toEqual({ code: 1, error: 'NOT_IN_PLACE' });
    expect(refusals.map(({ text }) => text)).toEqual([
      expect.stringMatching(/^PostgreSQL is \d+ and cannot become 13 in place$/),
      'its role is client_c and cannot become other in place',
      'its database is client_c and cannot become other in place',
      expect.stringMatching(/^locale is .* and cannot become de_DE.UTF-8 in place$/),
    ]);
  });

  it.each([
    ['memory: 90TB', 'MEMORY_BUDGET', 8],
    ['set: { work_mem: 5XB }', 'BAD_SETTING', 2],
    ['set: { wrok_mem: 5MB }', 'BAD_SETTING', 2],
    ['migrations-dir: ./nowhere', 'MIGRATIONS_NOT_FOUND', 4],
    ['port: PORT', 'PORT_IN_USE', 1],
  ])('%s: %s', async (line, code, exitCode) => {
    const { port } = await addressOf(sandbox, 'client-a');
    const finished = await other(alone(line.replace('PORT', String(port))));
    expect({ code: finished.code, error: finished.json().error?.code }).toEqual({ code: exitCode, error: code });
    expect(finished.json().error?.message).toContain(code === 'PORT_IN_USE' ? 'client-a' : 'client-c');
  });
});

describe('a failure', () => {
  it('ends the steps of its instance and of no other; the same command does the rest', async () => {
    putFiles(join(folder, 'migrations'), { '003_wrong.sql': 'CREATE TABLE wrong (id int, id int);' });
    await superAt('client-b', 'client_b', 'drop owned by readers', 'drop role readers');
    const failed = await manage('apply', '--json');
    expect(failed.code).toBe(5);
    expect(failed.json().error).toMatchObject({
      code: 'SOME_FAILED',
      data: { failed: [{ instance: 'client-a', action: 'migrate', code: 'MIGRATION_FAILED' }] },
    });
    putFiles(join(folder, 'migrations'), { '003_wrong.sql': 'CREATE TABLE wrong (id int);' });
    await mends(['+ client-a migrations of client_a']);
  });

  it('by kill -9 between and within steps is made good by the next apply', async () => {
    const text = fleet(sandbox.portRange).replace(
      'schedule:',
      '  client-d: { pooler: true, users: { app: {} } }\nschedule:',
    );
    putFiles(folder, { 'fleet.yaml': text });
    let kills = 0;
    for (let step = 2; ; step += 3) {
      const { code } = await sandbox.manage(['apply'], {
        cwd: folder,
        env: { ...crontab.env, PG_MANAGE_TEST_KILL_AT: String(step) },
      });
      if (code === 0) break;
      expect(code).toBe(128 + 9);
      kills += 1;
    }
    expect(kills).toBeGreaterThanOrEqual(2);
    await expectNothing();
    await expectInvariants(sandbox);
  });
});

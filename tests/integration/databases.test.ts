import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let project: string;
beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('client-a');
  project = join(sandbox.folder, 'project', 'src');
  mkdirSync(project, { recursive: true });
});
afterAll(async () => await sandbox.cleanup());

async function run(...args: string[]) {
  return await sandbox.manage(args, { cwd: project });
}

/** What psql answers, as the role named. */
async function ask(sql: string, ...who: string[]) {
  return await run('psql', 'client-a', ...who, '--', '-XAtc', sql);
}

describe('databases', () => {
  it('create-db makes one, once', async () => {
    expect(dataOf(await run('create-db', 'client-a', '-d', 'reports', '--json'))).toMatchObject({
      owner: 'client_a',
      created: true,
    });
    const again = await run('--action', 'create-db', '--instance', 'client-a', '--database', 'reports');
    expect(again).toMatchObject({
      code: 0,
      stdout: 'client-a: database reports is there already, owned by client_a\n',
    });
    const other = (await run('create-db', 'client-a', '-d', 'reports', '--owner', 'postgres', '--json')).json();
    expect(other.error).toMatchObject({ code: 'DATABASE_EXISTS', exitCode: 1 });
    expect((await ask('select current_database()', '-d', 'reports')).stdout).toBe('reports\n');
  });

  it('psql goes in as the superuser, without a password', async () => {
    expect((await ask('select current_user, current_database()', '-u', 'postgres')).stdout).toBe('postgres|client_a\n');
    const elsewhere = await ask('select current_database()', '-u', 'postgres', '-d', 'reports');
    expect(elsewhere.stdout).toBe('reports\n');
  });

  it('db-stats tells what fills it', async () => {
    await ask('create table big as select n, repeat(md5(n::text), 10) from generate_series(1, 5000) n; analyze big');
    const stats = dataOf(await run('db-stats', 'client-a', '--json'));
    expect(stats).toMatchObject({ database: 'client_a', tables: 1, largest: [{ table: 'public.big', rows: 5000 }] });
    expect(stats.largest[0].totalBytes).toBeGreaterThan(1_000_000);
    expect((await run('db-stats', 'client-a')).stdout).toMatch(/size +\d/);
  });

  it('drop-db asks, spares the one in use and the instance’s own, and is done once', async () => {
    expect((await run('drop-db', 'client-a', '-d', 'reports')).code).toBe(2);
    expect((await run('drop-db', 'client-a', '-d', 'client_a', '--yes')).code).toBe(2);
    const session = sandbox.begin(['psql', 'client-a', '-d', 'reports', '--', '-Xc', 'select pg_sleep(60)']);
    await until("select count(*) from pg_stat_activity where query like '%pg_sleep(60)' and datname = 'reports'", '1');
    const inUse = (await run('drop-db', 'client-a', '-d', 'reports', '--yes', '--json')).json();
    expect(inUse.error).toMatchObject({
      code: 'DATABASE_IN_USE',
      message: expect.stringContaining('1 of client_a (psql)'),
    });
    expect(dataOf(await run('drop-db', 'client-a', '-d', 'reports', '--yes', '--force', '--json')).dropped).toBe(true);
    expect((await session.finished).code).not.toBe(0);
    expect(dataOf(await run('drop-db', 'client-a', '-d', 'reports', '--yes', '--json')).dropped).toBe(false);
  });
});

describe('roles', () => {
  it('a role that may read reads what is there and what comes, and writes nothing', async () => {
    const made = dataOf(await run('create-user', 'client-a', '-u', 'report', '--privileges', 'read', '--json'));
    expect(made).toMatchObject({ created: true, password: expect.stringMatching(/^[\w-]{20,}$/) });
    await ask('create table later as select 1 as n');
    const as = ['-u', 'report'];
    expect((await ask('select count(*) from big', ...as)).stdout).toBe('5000\n');
    expect((await ask('select n from later', ...as)).stdout).toBe('1\n');
    const refused = await ask('insert into later values (2)', ...as);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('permission denied') });
  });

  it('is brought up to what is asked for and keeps its password; --new-password makes another', async () => {
    const file = join(sandbox.root, 'instances', 'client-a', 'passwords', 'report');
    const before = readFileSync(file, 'utf8');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(
      dataOf(await run('create-user', 'client-a', '-u', 'report', '--privileges', 'write', '--json')),
    ).toMatchObject({
      created: false,
      password: null,
    });
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect((await ask('insert into later values (2)', '-u', 'report')).code).toBe(0);
    dataOf(await run('create-user', 'client-a', '-u', 'report', '--new-password', '--json'));
    expect(readFileSync(file, 'utf8')).not.toBe(before);
    expect((await ask('select 1', '-u', 'report')).stdout).toBe('1\n');
  });

  it("the instance's own role gets a new password too, and every action goes on", async () => {
    const own = join(sandbox.root, 'instances', 'client-a', 'password');
    const before = readFileSync(own, 'utf8');
    dataOf(await run('create-user', 'client-a', '-u', 'client_a', '--new-password', '--json'));
    expect(readFileSync(own, 'utf8')).not.toBe(before);
    expect((await ask('select 1')).stdout).toBe('1\n');
  });

  it('knows its words, and a wrong one makes nothing', async () => {
    const wrong = (await run('create-user', 'client-a', '-u', 'x', '--privileges', 'raed', '--json')).json();
    expect(wrong.error).toMatchObject({ code: 'USAGE', message: expect.stringContaining('did you mean read?') });
    const failed = await run('create-user', 'client-a', '-u', 'x', '--member-of', 'nobody-there', '--json');
    expect(failed.json().error).toMatchObject({ code: 'SQL_FAILED', message: expect.stringContaining('nobody-there') });
    expect((await ask("select count(*) from pg_roles where rolname = 'x'")).stdout).toBe('0\n');
  });

  it('drop-user keeps what the role owns', async () => {
    dataOf(await run('create-user', 'client-a', '-u', 'app', '--privileges', 'all,createdb', '--json'));
    await ask('create table of_app (n int)', '-u', 'app');
    const owns = (await run('drop-user', 'client-a', '-u', 'app', '--yes', '--json')).json();
    expect(owns.error).toMatchObject({ code: 'ROLE_IN_USE', message: 'role app owns 1 object in client_a' });
    const drop = ['drop-user', 'client-a', '-u', 'app', '--yes', '--reassign-to', 'client_a', '--json'];
    expect(dataOf(await run(...drop)).dropped).toBe(true);
    expect((await ask("select tableowner from pg_tables where tablename = 'of_app'")).stdout).toBe('client_a\n');
    expect(existsSync(join(sandbox.root, 'instances', 'client-a', 'passwords', 'app'))).toBe(false);
    expect(dataOf(await run(...drop)).dropped).toBe(false);
  });
});

describe('programs of the caller', () => {
  it('exec gives the login and takes the exit status', async () => {
    const finished = await run('exec', 'client-a', '--', 'sh', '-c', 'echo "$PGDATABASE $DATABASE_URL"; pwd; exit 9');
    expect(finished.code).toBe(9);
    expect(finished.stdout).toMatch(/^client_a postgresql:\/\/client_a:.*@127.0.0.1:\d+\/client_a\n/);
    expect(finished.stdout).toContain(project);
    expect((await run('exec', 'client-a')).code).toBe(2);
    expect((await run('exec', 'client-a', '--', '/no/such/program')).code).toBe(1);
    expect((await run('exec', 'client-a', '--json', '--', 'true')).json().error?.code).toBe('USAGE');
  });

  it('a signal reaches the program', async () => {
    const running = sandbox.begin(['exec', 'client-a', '--', 'psql', '-Xc', "select 'here', pg_sleep(60)"]);
    await until(
      "select count(*) from pg_stat_activity where query like '%here%pg_sleep(60)%' and pid <> pg_backend_pid()",
      '1',
    );
    running.kill('SIGTERM');
    expect((await running.finished).code).toBe(143);
  });

  it('env writes its lines and leaves the others; pg-manage.json chooses, and forbids', async () => {
    const file = join(project, '.env');
    writeFileSync(file, '# mine\nexport PGPORT=1\nDEBUG=on\n', { mode: 0o640 });
    expect((await run('env', 'client-a')).stdout).toContain('has it now');
    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(/^# mine\nexport PGPORT=\d{4,5}\nDEBUG=on\nDATABASE_URL=postgresql:/);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(dataOf(await run('env', 'client-a', '--json')).changed).toBe(false);

    const above = join(project, '..', 'pg-manage.json');
    writeFileSync(above, '{"instance": "client-a", "inject": false}');
    expect(await run('env')).toMatchObject({ code: 2, stderr: expect.stringContaining(above.replace('/src/..', '')) });
    const kept = await run('exec', '--', 'sh', '-c', 'echo "url=$DATABASE_URL"');
    expect(kept).toMatchObject({ code: 0, stdout: 'url=\n', stderr: expect.stringContaining('kept out') });
    writeFileSync(above, '{"instance": "client-a", "inject": "no"}');
    expect((await run('status', '--json')).json().error?.code).toBe('BAD_PROJECT_FILE');
    writeFileSync(above, '{"instance": "client-a"}');
    expect(dataOf(await run('status', '--json')).name).toBe('client-a');
  });
});

/** Asks until the answer is as expected; the sandbox's own limit ends a wait without end. */
async function until(sql: string, answer: string): Promise<void> {
  while ((await ask(sql)).stdout.trim() !== answer);
}

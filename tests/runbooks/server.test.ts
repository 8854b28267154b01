import { appendFileSync, chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { commandLine, sendSignal, standingIn } from '../../lib/host/processes.ts';
import { isBindable, type Port } from '../../lib/host/ports.ts';
import { poll } from '../../lib/host/wait.ts';
import { readPostmasterFile } from '../../lib/postgres/postmaster.ts';
import { dataOf } from '../helpers/answer.ts';
import { beginProgram, makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { type Address, addressOf, query, superQuery } from '../helpers/database.ts';
import { putFiles } from '../helpers/files.ts';
import { leaveShareOfPorts } from '../helpers/ports.ts';
import { partsNotRun, runRunbook, type Way } from '../helpers/runbook.ts';

let sandbox: Sandbox;
let data: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  // No checkpoint takes the work from a recovery.
  await sandbox.create('client-a', '--template', 'testing', '--set', 'checkpoint_timeout=1d,synchronous_commit=on');
  leaveShareOfPorts(sandbox, 'server');
  data = join(sandbox.root, 'instances', 'client-a', 'data');
  await query(await addressOf(sandbox, 'client-a'), 'create table orders as select generate_series(1, 100) as n');
  dataOf(await sandbox.manage(['backup', 'client-a', '--json']));
});

afterAll(async () => {
  await sandbox.cleanup();
});

async function expectWell(): Promise<Address> {
  const address = await addressOf(sandbox, 'client-a');
  expect(await query(address, 'select sum(n)::int as sum from orders')).toEqual([{ sum: 5050 }]);
  return address;
}

async function killServer(): Promise<void> {
  process.kill(readPostmasterFile(data)?.pid ?? 0, 'SIGKILL');
  await until(() => standingIn(data).length === 0);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  expect(await found(async () => ((await condition()) ? true : undefined))).toBe(true);
}

/** What is there as soon as it is there. */
async function found<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const { signal } = new AbortController();
  const thing = await poll(look, { signal, timeoutMs: 20_000, minMs: 2, maxMs: 20 });
  if (thing === undefined) throw new Error(`not there in time: ${String(look)}`);
  return thing;
}

describe('port-conflict', () => {
  const [mayStay, mustStay] = ['If the other program may stay', 'If the port must stay'];

  it.each([mayStay, mustStay])('%s', async (part) => {
    const { port } = await expectWell();
    dataOf(await sandbox.manage(['stop', 'client-a', '--json']));
    const listening = `require('node:net').createServer().listen(${port}, '127.0.0.1')`;
    const stranger = beginProgram(process.execPath, ['-e', listening]);
    await until(async () => !(await isBindable(port as Port)));
    const given = part === mustStay ? { PROCESS: String(stranger.pid) } : {};
    await runRunbook(sandbox, 'port-conflict', { follow: [part], given });
    stranger.kill('SIGTERM');
    await stranger.finished;
    expect((await expectWell()).port === port).toBe(part === mustStay);
  });
});

describe('too-many-connections', () => {
  it.each([
    [[], 'begin'],
    [['If that is not enough', 'If there are many clients, each of which does little', 'If they are all at work'], ''],
  ])('%j', async (follow, first) => {
    const clients = await takeAll(first);
    await runRunbook(sandbox, 'too-many-connections', { follow, given: { IDLE: '0 seconds' } });
    await Promise.all(clients.map(async (client) => client.end().catch(() => undefined)));
    await expectWell();
    const many = await superQuery(sandbox, 'client-a', 'show max_connections');
    expect(many).toEqual([{ max_connections: follow.length > 0 ? '80' : '50' }]);
    dataOf(await sandbox.manage(['pooler', 'client-a', '--off', '--json']));
  });

  /** As many clients as there is room for, each of which has asked one thing and keeps silent since. */
  async function takeAll(first: string): Promise<pg.Client[]> {
    const { url } = await expectWell();
    const clients = Array.from(
      { length: 47 },
      () => new pg.Client({ connectionString: url, application_name: 'shop' }),
    );
    await Promise.all(
      clients.map(async (client) => {
        client.on('error', () => undefined); // it will be thrown out
        await client.connect();
        if (first !== '') await client.query(first);
      }),
    );
    return clients;
  }
});

describe('migration-failed', () => {
  let migrations: string;
  const migrate = async () => (await sandbox.manage(['migrate', 'client-a', '-m', migrations])).code;
  const run = async (part: string, given: Record<string, string> = {}) =>
    await runRunbook(sandbox, 'migration-failed', { follow: [part], given: { MIGRATIONS: migrations, ...given } });

  it('If the data is in the way', async () => {
    migrations = putFiles(join(sandbox.folder, 'migrations'), {
      '001_customers.sql':
        "create table customers (id int, mail text); insert into customers values (1, 'x'), (2, 'x')",
      '002_one_each.sql': 'create unique index concurrently customers_mail on customers (mail)',
    });
    expect(await migrate()).toBe(1);
    await run('If the data is in the way');
    expect(await query(await expectWell(), 'select id from customers')).toEqual([{ id: 1 }]);
  });

  it('If the file is wrong', async () => {
    const sql = 'create table invoices (id int); alter table customer add column vat text';
    putFiles(migrations, { '003_invoices.sql': sql });
    expect(await migrate()).toBe(1);
    await run('If the file is wrong', { FILE: join(migrations, '003_invoices.sql') });
    expect(await query(await expectWell(), 'select vat from customers, invoices')).toEqual([]);
  });

  it('If it went through and was a mistake', async () => {
    putFiles(migrations, { '004_mistake.sql': 'drop table customers' });
    expect(await migrate()).toBe(0);
    const { restorePoints } = dataOf(await sandbox.manage(['list-backups', 'client-a', '--json'])) as {
      restorePoints: { name: string }[];
    };
    await run('If it went through and was a mistake', { POINT: restorePoints.at(-1)?.name ?? '' });
    expect(await query(await expectWell(), 'select id from customers')).toEqual([{ id: 1 }]);
  });
});

describe('will-not-start', () => {
  const run = async (part: string, way: Way = {}) => {
    await runRunbook(sandbox, 'will-not-start', { follow: [part], ...way });
    await expectWell();
  };

  it('If it was only down', async () => {
    await killServer();
    await run('If it was only down');
  });

  it('If a setting is wrong', async () => {
    const file = join(data, 'postgresql.conf');
    appendFileSync(file, "shared_buffers = '12 parsecs'\n");
    expect((await sandbox.manage(['restart', 'client-a'])).code).toBe(1);
    await run('If a setting is wrong', { given: { FILE: file, SETTING: 'shared_buffers' } });
  });

  it('If owner or mode are wrong', async () => {
    dataOf(await sandbox.manage(['stop', 'client-a', '--json']));
    chmodSync(data, 0o777);
    await run('If owner or mode are wrong');
  });

  it('If memory is refused', async () => {
    const { limitBytes } = dataOf(await sandbox.manage(['budget', '--json'])) as { limitBytes: number };
    dataOf(await sandbox.manage(['stop', 'client-a', '--json']));
    await run('If memory is refused', { env: { PG_MANAGE_BUDGET: `${(100 * 300 * 1024 ** 2) / limitBytes}%` } });
  });

  it('If its data is damaged', async () => {
    dataOf(await sandbox.manage(['stop', 'client-a', '--json']));
    rmSync(join(data, 'global', 'pg_control'));
    await run('If its data is damaged');
  });
});

describe('slow-recovery', () => {
  it('is waited for', async () => {
    await query(
      await addressOf(sandbox, 'client-a'),
      'create table big as select n, md5(n::text) from generate_series(1, 300000) n',
    );
    await killServer();
    const started = sandbox.begin(['start', 'client-a', '--timeout', '1']);
    const recovering = await found(() => standingIn(data).find((pid) => told(pid).includes(': startup')));
    sendSignal(recovering, 'SIGSTOP'); // a disk on which nothing gets on
    expect((await started.finished).code).toBe(6);

    const page = runRunbook(sandbox, 'slow-recovery');
    await found(() => allProcesses().find((pid) => told(pid).endsWith('start client-a --timeout 3600')));
    sendSignal(recovering, 'SIGCONT');
    await page;
    expect(await query(await expectWell(), 'select count(*)::int as rows from big')).toEqual([{ rows: 300_000 }]);
  });

  const told = (pid: number): string => commandLine(pid).join(' ');
  const allProcesses = (): number[] =>
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0);
});

it.each(['port-conflict', 'too-many-connections', 'migration-failed', 'will-not-start', 'slow-recovery'])(
  'all of %s was run',
  (name) => expect(partsNotRun(name)).toEqual([]),
);

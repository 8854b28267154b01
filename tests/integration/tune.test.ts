import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { listTree, makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { superQuery } from '../helpers/database.ts';

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'production', '--memory', '300MB');
});

afterAll(async () => {
  await sandbox.cleanup();
});

const folder = (): string => join(sandbox.root, 'instances', 'shop');
const planText = (): string => readFileSync(join(folder(), 'data', 'pg-manage.tuning.conf'), 'utf8');

interface InstanceFile {
  port: number;
  committedBytes: number;
  stressBytes: number;
  maxConnections: number;
  overcommit?: boolean;
  wishes: { settings?: Record<string, string> };
}

function readRecord(): InstanceFile {
  return JSON.parse(readFileSync(join(folder(), 'instance.json'), 'utf8')) as InstanceFile;
}

function readLease(): InstanceFile {
  return JSON.parse(readFileSync(join(sandbox.host, 'leases', `${readRecord().port}.json`), 'utf8')) as InstanceFile;
}

async function show(name: string): Promise<string> {
  const rows = await superQuery<{ value: string }>(sandbox, 'shop', `select current_setting('${name}') as value`);
  return rows[0]?.value ?? '';
}

interface Tuning {
  applied: boolean;
  pendingRestart: string[];
  plan: { committedBytes: number; sharedMemoryBytes: number };
  changes: { name: string; before: string | null; after: string | null; reason: string; takes: string | null }[];
}

async function tune(...args: string[]): Promise<Tuning> {
  return dataOf(await sandbox.manage(['tune', 'shop', ...args, '--json'])) as Tuning;
}

describe('what nobody could start with is refused before anything is made', () => {
  it.each([
    ['wal_compression=foo', 'Available values: '],
    ['work_mem=4XB', 'Valid units for this parameter'],
    ['deadlock_timeout=0', 'outside the valid range'],
    ['wrk_mem=4MB', 'did you mean work_mem?'],
  ])('--set %s', async (setting, words) => {
    const { code, json } = await sandbox.manage(['create', 'other', '--set', setting, '--json']);
    expect([code, json().error?.code]).toEqual([2, 'BAD_SETTING']);
    expect(json().error?.message).toContain(words);
  });

  it('a template of one’s own, with file, line and every fault', async () => {
    const file = join(sandbox.folder, 'mine.yaml');
    const head = 'description: d\nworkload: web\nmemory: 5%\nconnections: 30\nsettings:\n';
    writeFileSync(file, `${head}  work_mem: 4XB\n  jit: off\n  shared_bufers: 1GB\n`);
    const { code, stderr } = await sandbox.manage(['create', 'other', '--template', './mine.yaml']);
    expect(code).toBe(2);
    expect(stderr).toContain('mine.yaml:6: invalid value for parameter "work_mem": "4XB"');
    expect(stderr).toContain('mine.yaml:8: PostgreSQL has no setting "shared_bufers"; did you mean shared_buffers?');
  });
});

it('records the figures with the shared memory that the server itself reports', async () => {
  const { committedBytes, stressBytes } = readRecord();
  expect(readLease()).toMatchObject({ committedBytes, stressBytes });
  const { plan } = await tune();
  const [row] = await superQuery<{ bytes: string | null }>(
    sandbox,
    'shop',
    "select pg_size_bytes(current_setting('shared_memory_size', true))::text as bytes",
  );
  // Before PostgreSQL 15 no server can tell: then the formula stands.
  const measuredBytes = Number(row?.bytes ?? plan.sharedMemoryBytes);
  expect(committedBytes).toBe(plan.committedBytes - plan.sharedMemoryBytes + measuredBytes);
});

it('shows what would be, and why, and changes nothing', async () => {
  const [tree, text] = [listTree(sandbox.root), planText()];
  for (const more of [[], ['--apply', '--dry-run']]) {
    const { applied, changes } = await tune('--memory', '200MB', ...more);
    expect(applied).toBe(false);
    const buffers = changes.find(({ name }) => name === 'shared_buffers');
    expect(buffers).toMatchObject({ takes: 'restart', reason: expect.stringContaining('200 MB') });
    expect(buffers?.before).not.toBe(buffers?.after);
    expect(changes.find(({ name }) => name === 'maintenance_work_mem')).toMatchObject({ takes: 'reload' });
    expect(changes.find(({ name }) => name === 'jit')).toBeUndefined();
  }
  expect(planText()).toBe(text);
  expect(listTree(sandbox.root).filter((line) => !tree.includes(line))).toEqual([]);
});

it('applies: a reload brings what it can, and a restart the rest', async () => {
  const before = await show('shared_buffers');
  const tuned = await tune('--memory', '200MB', '--set', 'log_lock_waits=off', '--apply');
  expect(tuned.pendingRestart).toEqual(expect.arrayContaining(['shared_buffers']));
  expect([await show('log_lock_waits'), await show('shared_buffers')]).toEqual(['off', before]);
  expect(readRecord()).toMatchObject({ committedBytes: tuned.plan.committedBytes });
  expect(readLease().committedBytes).toBe(tuned.plan.committedBytes);

  expect((await sandbox.manage(['restart', 'shop'])).code).toBe(0);
  const wanted = tuned.changes.find(({ name }) => name === 'shared_buffers')?.after;
  expect(await show('shared_buffers')).toBe(wanted);
  expect((await tune('--apply')).pendingRestart).toEqual([]);
});

it('keeps earlier wishes, and forgets one that is set to default', async () => {
  expect(readRecord().wishes.settings).toEqual({ log_lock_waits: 'off' });
  await tune('--set', 'log_lock_waits=default', '--apply');
  expect(readRecord().wishes.settings).toBeUndefined();
  expect(await show('log_lock_waits')).toBe('on');
});

it("lets the operator's own lines win, names them, and counts with them", async () => {
  const committedBefore = readRecord().committedBytes;
  appendFileSync(join(folder(), 'data', 'postgresql.conf'), "work_mem = '7MB'\nmax_connections = 60 # more\n");
  const finished = await sandbox.manage(['tune', 'shop', '--apply', '--json']);
  const { changes } = dataOf(finished) as Tuning;
  expect(changes.find(({ name }) => name === 'work_mem')).toMatchObject({
    after: '7MB',
    takes: null,
    reason: expect.stringMatching(/^your own line wins: postgresql.conf, line \d+$/),
  });
  expect(finished.json().warnings.join()).toContain('work_mem stays as it is: your own line wins');
  expect(planText()).not.toMatch(/^(work_mem|max_connections)/m);
  expect(await show('work_mem')).toBe('7MB');
  expect(readRecord().maxConnections).toBe(60);
  expect(readRecord().committedBytes).not.toBe(committedBefore);
  expect((await sandbox.manage(['restart', 'shop'])).code).toBe(0);
  expect(await show('max_connections')).toBe('60');
});

describe('the budget', () => {
  // One per cent of any machine is less than this instance; what it commits as configured does not change by that.
  const tight = { env: { PG_MANAGE_BUDGET: '0.1%' } };

  it('is shown with limit, sums and what is left', async () => {
    const budget = dataOf(await sandbox.manage(['budget', '--json']));
    const { committedBytes, stressBytes } = readRecord();
    expect(budget).toMatchObject({ committedBytes, stressBytes, budgetShare: 0.8 });
    expect(budget['leftBytes']).toBe(budget['budgetBytes'] - committedBytes);
    expect(budget['instances']).toEqual([
      expect.objectContaining({ name: 'shop', root: sandbox.root, committedBytes, overcommit: false }),
    ]);
    const { stdout } = await sandbox.manage(['budget']);
    expect(stdout).toMatch(/^shop .*█/m);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('is configured by the environment, or by a file, which config shows', async () => {
    const file = join(sandbox.folder, 'host.yaml');
    writeFileSync(file, '# of this host\nbudget: 55%\n');
    const { settings } = dataOf(await sandbox.manage(['config', '--json'], { env: { PG_MANAGE_CONFIG: file } }));
    expect(settings.budget).toEqual({ value: '55%', origin: file });
    const { code } = await sandbox.manage(['budget'], { env: { PG_MANAGE_BUDGET: 'much' } });
    expect(code).toBe(2);
  });

  it('refuses create and tune with the sum, exit status 8', async () => {
    for (const args of [
      ['create', 'other', '--port-range', sandbox.portRange],
      ['tune', 'shop', '--memory', '250MB', '--apply'],
    ]) {
      const { code, json } = await sandbox.manage([...args, '--json'], tight);
      expect([code, json().error?.code]).toEqual([8, 'MEMORY_BUDGET']);
      expect(json().error?.message).toMatch(/0\.1 % of this host's/);
    }
  });

  it('refuses a start, but not of what runs, and counts nothing twice', async () => {
    expect((await sandbox.manage(['start', 'shop'], tight)).code).toBe(0);
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    const { code, json } = await sandbox.manage(['start', 'shop', '--json'], tight);
    expect([code, json().error?.code]).toEqual([8, 'MEMORY_BUDGET']);
    expect(json().error?.message).toMatch(/^1 instance of this host commit/);
    expect(json().error?.hint).toContain('--overcommit');
  });

  it('is overridden by --overcommit, which is recorded and shown', async () => {
    expect((await sandbox.manage(['start', 'shop', '--overcommit'], tight)).code).toBe(0);
    expect([readRecord().overcommit, readLease().overcommit]).toEqual([true, true]);
    const { memory } = dataOf(await sandbox.manage(['status', 'shop', '--json']));
    expect(memory).toMatchObject({ overcommit: true });
    expect((await sandbox.manage(['budget'])).stdout).toMatch(/^shop \(!\)/m);
    const again = await sandbox.manage(['restart', 'shop'], tight);
    expect(again.code).toBe(0);
  });

  it('forgets the permission where it is not needed any more', async () => {
    await tune('--apply');
    expect([readRecord().overcommit, readLease().overcommit]).toEqual([undefined, undefined]);
  });

  it('refuses a clone, planned or made, and leaves nothing of it', async () => {
    dataOf(await sandbox.manage(['backup', 'shop', '--no-verify', '--json']));
    const clone = ['clone', 'shop', '--as', 'twin', '--port-range', sandbox.portRange, '--json'];
    for (const more of [['--dry-run'], []]) {
      const { code, json } = await sandbox.manage([...clone, ...more], tight);
      expect([code, json().error?.code]).toEqual([8, 'MEMORY_BUDGET']);
      expect(json().error?.hint).toContain('the same command with --overcommit');
    }
    expect(dataOf(await sandbox.manage(['budget', '--json']))['instances']).toHaveLength(1);
    expect((await sandbox.manage([...clone, '--overcommit', '--dry-run'], tight)).code).toBe(0);
  });
});

it('status says which settings give durability up', async () => {
  const before = dataOf(await sandbox.manage(['status', 'shop', '--json']));
  expect(before['notDurable']).toEqual([]);
  await sandbox.create('tests', '--template', 'testing');
  const { stdout } = await sandbox.manage(['status', 'tests']);
  expect(stdout).toMatch(/^durability +given up: fsync, synchronous_commit, full_page_writes off/m);
});

it('a restore brings the configuration of its backup back, and the record and the lease follow', async () => {
  dataOf(await sandbox.manage(['backup', 'tests', '--no-verify', '--json']));
  const file = join(sandbox.root, 'instances', 'tests', 'instance.json');
  const read = (): InstanceFile => JSON.parse(readFileSync(file, 'utf8')) as InstanceFile;
  const { port, committedBytes, maxConnections } = read();
  dataOf(await sandbox.manage(['tune', 'tests', '--max-connections', '70', '--apply', '--json']));
  expect(read().maxConnections).toBe(70);

  dataOf(await sandbox.manage(['restore', 'tests', '--yes', '--json']));
  expect(read()).toMatchObject({ committedBytes, maxConnections });
  const lease = JSON.parse(readFileSync(join(sandbox.host, 'leases', `${port}.json`), 'utf8')) as InstanceFile;
  expect(lease.committedBytes).toBe(committedBytes);
  const { changes } = dataOf(await sandbox.manage(['tune', 'tests', '--json'])) as Tuning;
  expect(changes.find(({ name }) => name === 'max_connections')).toMatchObject({
    after: String(maxConnections),
    takes: null,
  });
});

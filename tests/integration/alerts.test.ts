import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { parse as parseYaml } from 'yaml';
import { projectDirectory } from '../../lib/host/project.ts';
import { poll } from '../../lib/host/wait.ts';
import { readPostmasterFile } from '../../lib/postgres/postmaster.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type RunOptions, type Sandbox } from '../helpers/cli.ts';
import { type Address, addressOf, superQuery } from '../helpers/database.ts';
import { altered, evaluate, parseMetrics, type Scrapes } from '../helpers/promql.ts';

type Metrics = Scrapes['latest'];

const file = readFileSync(join(projectDirectory, 'templates', 'alerts.yaml'), 'utf8');
const { groups } = parseYaml(file) as { groups: { rules: { alert: string; expr: string }[] }[] };
const rules = groups.flatMap((group) => group.rules);
/** Those that a test has seen at work. */
const triggered = new Set<string>();

let sandbox: Sandbox;
let address: Address;
let well: Metrics;

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--template', 'testing', '--max-connections', '20');
  address = await addressOf(sandbox, 'shop');
  await superQuery(sandbox, 'shop', 'create table if not exists t (n int); insert into t values (1), (1)', 'shop');
  dataOf(await sandbox.manage(['backup', 'shop', '--json']));
  well = await scrape();
});
afterAll(async () => await sandbox.cleanup());

async function scrape(options?: RunOptions): Promise<Metrics> {
  const finished = await sandbox.manage(['metrics'], { timeoutMs: 15_000, ...options });
  expect({ code: finished.code, stderr: finished.stderr }).toEqual({ code: 0, stderr: '' });
  return parseMetrics(finished.stdout);
}

const now = (): number => Date.now() / 1000;
const day = 86_400;

/** The names of the alerts that fire, `for` left aside. */
function firing(latest: Metrics, more: Partial<Scrapes> = {}): string[] {
  const scrapes = { now: now(), latest, ...more };
  const names = rules.flatMap(({ alert, expr }) => (evaluate(expr, scrapes).length > 0 ? [alert] : []));
  for (const name of names) triggered.add(name);
  return names;
}

/** Of one wait, in milliseconds. */
const patience = () => ({ signal: AbortSignal.timeout(30_000), timeoutMs: 30_000, minMs: 200 });

async function switchWal(): Promise<void> {
  await superQuery(sandbox, 'shop', `select pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()`);
}

async function client(): Promise<pg.Client> {
  const one = new pg.Client({ connectionString: address.url });
  one.on('error', () => undefined);
  await one.connect();
  return one;
}

describe('the alert rules', () => {
  it('have names of their own, and none fires where all is well', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect(firing(well)).toEqual([]);
  });

  it('tell of connections that run short', async () => {
    const clients = await Promise.all(Array.from({ length: 14 }, client));
    expect(firing(await scrape())).toEqual(['PgConnectionsHigh']);
    clients.push(...(await Promise.all(Array.from({ length: 3 }, client))));
    expect(firing(await scrape())).toEqual(expect.arrayContaining(['PgConnectionsHigh', 'PgConnectionsExhausted']));
    await Promise.all(clients.map(async (one) => await one.end()));
  });

  it('tell of sessions that wait, of deadlocks and of transactions left open', async () => {
    const [a, b] = [await client(), await client()];
    for (const [one, lock] of [
      [a, 1],
      [b, 2],
    ] as const) {
      await one.query('begin');
      await one.query(`select pg_advisory_xact_lock(${lock})`);
    }
    const waits = a.query('select pg_advisory_xact_lock(2)');
    const waiting = await scrape();
    expect(firing(waiting)).toEqual(['PgLockWaits']);
    const longAgo = altered(waiting, 'pg_stat_activity_max_tx_duration', ({ value }) => value + 300);
    expect(firing(longAgo)).toEqual(['PgIdleInTransaction', 'PgLockWaits']);
    const outcomes = await Promise.allSettled([waits, b.query('select pg_advisory_xact_lock(1)')]);
    expect(outcomes.map(({ status }) => status)).toContain('rejected');
    await Promise.all([a.end(), b.end()]);
    const after = await scrape();
    // Others write to this disk meanwhile: it may be filling, too.
    expect(firing(after, { earlier: { metrics: waiting, secondsBefore: 60 } })).toContain('PgDeadlocks');
  });

  it('tell of an archive that fails, and of WAL that waits', async () => {
    const archive = join(sandbox.root, 'backups', 'shop', 'wal');
    renameSync(archive, `${archive}.away`);
    writeFileSync(archive, 'no folder');
    try {
      await switchWal();
      const failing = await poll(async () => {
        const metrics = await scrape();
        return firing(metrics).includes('PgArchiveFailing') ? metrics : undefined;
      }, patience());
      expect(firing(failing ?? well, { now: now() + 700 })).toContain('PgArchiveLag');
      expect(firing(failing ?? well)).toContain('PgFinding');
    } finally {
      rmSync(archive);
      renameSync(`${archive}.away`, archive);
    }
    const mended = await poll(async () => {
      await switchWal(); // wakes the archiver, which else waits for a minute after it has failed
      return firing(await scrape()).length === 0 || undefined;
    }, patience());
    expect(mended).toBe(true);
  });

  it('tell of backups and test restores that are too old, too small or failed', () => {
    expect(firing(well, { now: now() + 2.1 * day })).toEqual(['PgMetricsStale', 'PgBackupOld']);
    expect(firing(well, { now: now() + 31 * day })).toContain('PgRestoreTestOld');
    expect(firing(altered(well, 'pg_manage_restore_test_last_success', () => 0))).toEqual(['PgRestoreTestFailed']);
    const [size] = well.get('pg_manage_backup_last_size_bytes') ?? [];
    const previous = { labels: size?.labels ?? {}, value: (size?.value ?? 0) * 2.1 };
    expect(firing(new Map(well).set('pg_manage_backup_previous_size_bytes', [previous]))).toEqual(['PgBackupShrunk']);
  });

  it('tell of memory, disks and what only time brings', async () => {
    expect(firing(await scrape({ env: { PG_MANAGE_BUDGET: '0.1%' } }))).toContain('PgMemoryOverBudget');
    const free = (share: number): Metrics => {
      const size = well.get('pg_manage_disk_size_bytes')?.[0]?.value ?? 0;
      return altered(well, 'pg_manage_disk_free_bytes', () => size * share);
    };
    const filling = { earlier: { metrics: free(0.39), secondsBefore: 6 * 3600 } };
    expect(firing(free(0.35), filling)).toEqual(['PgDiskFilling']);
    expect(firing(free(0.04))).toEqual(['PgDiskFull']);
    const aged = (share: number): Metrics => altered(well, 'pg_manage_database_frozen_xid_age', () => share * 2 ** 31);
    expect(firing(aged(0.6))).toEqual(['PgWraparoundNear']);
    expect(firing(aged(0.8))).toEqual(['PgWraparoundNear', 'PgWraparoundClose']);
    expect(firing(altered(well, 'pg_stat_database_checksum_failures', () => 1))).toEqual(['PgChecksumFailures']);
  });

  it('tell of what is wrong inside: a slot, a setting, an index, migrations, a schema', async () => {
    await superQuery(sandbox, 'shop', `select pg_create_physical_replication_slot('forgotten', true)`);
    await superQuery(sandbox, 'shop', 'alter system set max_connections = 21');
    await superQuery(sandbox, 'shop', 'select pg_reload_conf()');
    await expect(superQuery(sandbox, 'shop', 'create unique index concurrently i on t (n)', 'shop')).rejects.toThrow();
    const expected = ['PgReplicationSlotIdle', 'PgRestartPending', 'PgSettingsChangedByHand', 'PgIndexInvalid'];
    const seen = await poll(async () => {
      const names = firing(await scrape(), { earlier: { metrics: well, secondsBefore: 60 } });
      return expected.every((name) => names.includes(name)) || undefined;
    }, patience());
    expect(seen).toBe(true);
    const labels = { pg_instance: 'shop' };
    const put = (name: string): Metrics => new Map(well).set(name, [{ labels, value: 1 }]);
    expect(firing(put('pg_manage_migrations_behind'))).toEqual(['PgMigrationsBehind']);
    expect(firing(put('pg_manage_schema_differs'))).toEqual(['PgSchemaDiffers']);
    await superQuery(sandbox, 'shop', `select pg_drop_replication_slot('forgotten')`);
  });

  it('tell of a server that stands still, and do not hang on it; one that was stopped is not down', async () => {
    const data = join(sandbox.root, 'instances', 'shop', 'data');
    const pid = readPostmasterFile(data)?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      const silent = await scrape();
      expect(silent.get('pg_up')).toEqual([{ labels: { pg_instance: 'shop' }, value: 0 }]);
      expect(firing(silent)).toEqual(expect.arrayContaining(['PgInstanceDown', 'PgFinding']));
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    expect(firing(await scrape())).toEqual([]);
  });

  it('tell of a port that another program took, and of an instance that is gone', async () => {
    const stranger = createServer().listen(address.port, '127.0.0.1');
    try {
      expect(firing(await scrape())).toEqual(expect.arrayContaining(['PgPortTaken', 'PgFinding']));
    } finally {
      await new Promise((resolve) => stranger.close(resolve));
    }
    const folder = join(sandbox.root, 'instances', 'shop');
    renameSync(folder, join(sandbox.folder, 'away'));
    const gone = await scrape();
    renameSync(join(sandbox.folder, 'away'), folder);
    expect(firing(gone)).toEqual(['PgInstanceAbsent']);
  });

  it('were all triggered', () => {
    expect(rules.map(({ alert }) => alert).filter((name) => !triggered.has(name))).toEqual([]);
  });
});

import {
  chmodSync,
  chownSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { acquire } from '../../lib/host/locks.ts';
import { poll } from '../../lib/host/wait.ts';
import { readPostmasterFile } from '../../lib/postgres/postmaster.ts';
import { listTree, makeSandbox, type Sandbox } from '../helpers/cli.ts';
import { addressOf, superQuery } from '../helpers/database.ts';
import { codes, diagnoseIn, type Told } from '../helpers/diagnose.ts';

let sandbox: Sandbox;
let wal: string;
const { signal } = new AbortController();

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop', '--max-connections', '12');
  await sandbox.create('other');
  for (const name of ['shop', 'other']) expect((await sandbox.manage(['backup', name])).code).toBe(0);
  wal = join(sandbox.root, 'backups', 'shop', 'wal');
});
afterAll(async () => await sandbox.cleanup());

const diagnose = async (...args: string[]) => await diagnoseIn(sandbox, ...args);

/** Looks until a server has noticed what was done to it. */
async function awaitFinding(code: string): Promise<Told | undefined> {
  const probe = async () => (await diagnose()).findings.find((finding) => finding.code === code);
  return await poll(probe, { signal, timeoutMs: 60_000 });
}

function postmaster(name: string): number {
  return readPostmasterFile(join(sandbox.root, 'instances', name, 'data'))?.pid ?? 0;
}

/** Writes WAL and waits until it is archived. */
async function archiveSegment(): Promise<void> {
  const [row] = await superQuery<{ name: string }>(
    sandbox,
    'shop',
    "select pg_logical_emit_message(false, 'test', 'more'), pg_walfile_name(pg_switch_wal()) as name",
  );
  const there = () => (readdirSync(wal).includes(`${row?.name}.zst`) ? true : undefined);
  expect(await poll(there, { signal, timeoutMs: 90_000, maxMs: 100 })).toBe(true);
}

describe('two healthy instances', () => {
  it('have nothing wrong, are left as they are, and cost cron no mail', async () => {
    const before = listTree(sandbox.folder);
    expect(await diagnose()).toEqual({ code: 0, findings: [], fixed: [] });
    expect(await sandbox.manage(['doctor', '--quiet'])).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect((await sandbox.manage(['doctor'])).stdout).toMatch(/^nothing is wrong\nlooked at: .*, 2 instances\n$/);
    expect(listTree(sandbox.folder)).toEqual(before);
    expect((await sandbox.manage(['diagnose', 'nobody'])).code).toBe(4);
  });
});

describe('what is found and left to people', () => {
  it('a server that was killed', async () => {
    process.kill(postmaster('shop'), 'SIGKILL');
    const found = await awaitFinding('INSTANCE_CRASHED');
    const remedy = './manage.ts --action start --instance shop';
    expect(found).toMatchObject({ severity: 'critical', subject: 'shop', remedy, fixable: false });
    expect(await diagnose('--instance', 'other')).toEqual({ code: 0, findings: [], fixed: [] });
    const text = await sandbox.manage(['diagnose']);
    expect(text.code).toBe(1);
    expect(text.stdout).toMatch(new RegExp(`^CRITICAL\n  shop  INSTANCE_CRASHED\n(    .*\n)+    remedy: ${remedy}\n`));
    expect(text.stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
  });

  it('a server that is stopped by a signal, and the others beside it', async () => {
    const pid = postmaster('shop');
    process.kill(pid, 'SIGSTOP');
    try {
      const begun = performance.now();
      const { code, findings } = await diagnose();
      expect(performance.now() - begun).toBeLessThan(20_000); // seconds on a machine that is not busy
      expect(code).toBe(1);
      expect(codes(findings)).toEqual(['shop SERVER_SILENT']);
      expect(findings[0]).toMatchObject({ severity: 'critical', remedy: `kill -CONT ${pid}`, fixable: false });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect((await diagnose()).findings).toEqual([]);
  });

  it('connections that clients have used up, and by whom', async () => {
    const { url } = await addressOf(sandbox, 'shop');
    const clients: pg.Client[] = [];
    try {
      for (;;) {
        const client = new pg.Client({ connectionString: url, application_name: 'hog' });
        client.on('error', () => undefined);
        try {
          await client.connect();
        } catch {
          break; // too many clients already
        }
        clients.push(client);
      }
      const { code, findings } = await diagnose();
      expect([code, codes(findings)]).toEqual([1, ['shop CONNECTIONS_HIGH']]);
      expect(findings[0]?.severity).toBe('critical');
      expect(findings[0]?.cause).toContain(`(100 %): ${clients.length} by shop (hog)`);
    } finally {
      for (const client of clients) await client.end();
    }
  });

  it('a setting that waits for a restart', async () => {
    await superQuery(sandbox, 'shop', 'alter system set max_connections = 13');
    await superQuery(sandbox, 'shop', 'select pg_reload_conf()');
    const found = await awaitFinding('RESTART_PENDING');
    const remedy = './manage.ts --action restart --instance shop';
    expect(found).toMatchObject({ severity: 'warning', subject: 'shop', remedy, fixable: false });
    expect(found?.cause).toContain('max_connections');
    await superQuery(sandbox, 'shop', 'alter system reset max_connections');
    await superQuery(sandbox, 'shop', 'select pg_reload_conf()');
  });

  it('configuration files that the next start will fail at', async () => {
    const folder = join(sandbox.root, 'instances', 'shop', 'data');
    const wrong = { 'postgresql.conf': "work_mem = 'lots'\n", 'pg_hba.conf': 'junk all all\n' };
    const before = Object.keys(wrong).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);
    for (const [name, text] of before) writeFileSync(join(folder, name), text + wrong[name as keyof typeof wrong]);
    const { code, findings } = await diagnose();
    expect([code, codes(findings)]).toEqual([1, Array<string>(2).fill('shop CONFIGURATION_BROKEN')]);
    const [conf = 0, hba = 0] = before.map(([, text]) => text.split('\n').length);
    expect(findings.map(({ cause }) => cause).toSorted()).toEqual([
      expect.stringContaining(`pg_hba.conf, line ${hba}: invalid connection type "junk"`),
      expect.stringContaining(`postgresql.conf, line ${conf}: work_mem: setting could not be applied`),
    ]);
    for (const [name, text] of before) writeFileSync(join(folder, name), text);
    expect((await diagnose()).findings).toEqual([]);
  });

  it('a lock: who holds it, and a warning when that is for more than an hour', async () => {
    const folder = join(sandbox.root, '.pg-manage', 'locks', 'shop');
    const request = { folder, mode: 'exclusive', subject: 'shop', action: 'nap', timeoutMs: 1000, signal } as const;
    const lock = await acquire(request);
    try {
      const now = await diagnose();
      expect([now.code, codes(now.findings)]).toEqual([0, ['shop LOCK_HELD']]);
      expect(now.findings[0]).toMatchObject({ severity: 'info', remedy: `ps -fp ${process.pid}` });
      const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.json')) ?? '');
      writeFileSync(file, readFileSync(file, 'utf8').replace(/"since": "\d{4}/, '"since": "2020'));
      const late = await diagnose();
      expect([late.code, late.findings[0]?.code, late.findings[0]?.severity]).toEqual([1, 'LOCK_HELD_LONG', 'warning']);
    } finally {
      lock.release();
    }
  });

  it('an archive that cannot be written to: before WAL fails, and then that it does', async () => {
    chmodSync(wal, 0o500);
    const { code, findings } = await diagnose();
    expect([code, codes(findings)]).toEqual([1, ['shop ARCHIVE_NOT_WRITABLE']]);
    expect(findings[0]).toMatchObject({ severity: 'critical', remedy: `chmod 0700 ${wal}`, fixable: false });
    await superQuery(sandbox, 'shop', "select pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()");
    const failing = await awaitFinding('ARCHIVE_FAILING');
    expect(failing).toMatchObject({ severity: 'critical', subject: 'shop' });
    chmodSync(wal, 0o700);
    await archiveSegment();
    expect((await diagnose()).findings).toEqual([]);
  });

  it('a WAL segment that is gone: between others, or the last one archived', async () => {
    const before = readdirSync(wal).filter((name) => /^[0-9A-F]{24}\.zst$/.test(name));
    await archiveSegment();
    await archiveSegment();
    const added = readdirSync(wal).filter((name) => /^[0-9A-F]{24}\.zst$/.test(name) && !before.includes(name));
    for (const segment of [added[0] ?? '', added.at(-1) ?? '']) {
      const kept = join(sandbox.folder, segment);
      copyFileSync(join(wal, segment), kept);
      const { uid, gid } = statSync(join(wal, segment));
      rmSync(join(wal, segment));
      const { code, findings } = await diagnose();
      expect([code, codes(findings)]).toEqual([1, ['shop WAL_GAP']]);
      expect(findings[0]).toMatchObject({
        severity: 'critical',
        remedy: './manage.ts --action backup --instance shop',
      });
      expect(findings[0]?.cause).toContain(`${segment.slice(0, 24)} is missing`);
      copyFileSync(kept, join(wal, segment));
      chownSync(join(wal, segment), uid, gid);
    }
    expect((await diagnose()).findings).toEqual([]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { type InstanceFacts, judgeInstance } from '../../../lib/diagnosis/instance.ts';
import { judgeLeases } from '../../../lib/diagnosis/leases.ts';
import { judgeLocks, judgeUnfinished } from '../../../lib/diagnosis/locks.ts';
import { judgeServer, judgeSilence, type ServerFacts } from '../../../lib/diagnosis/server.ts';
import type { InstanceRecord } from '../../../lib/instances/record.ts';
import type { Summary } from '../../../lib/instances/summary.ts';
import { told } from './findings.ts';

const now = Date.parse('2026-11-22T12:00:00Z');
const minutesAgo = (minutes: number): number => now - minutes * 60_000;

const summary: Summary = {
  name: 'shop',
  id: '1',
  state: 'running',
  port: 5433,
  poolerPort: null,
  version: 15,
  template: 'development',
  dataDirectory: '/r/data',
  message: null,
  unfinished: null,
};
const postmaster = {
  pid: 42,
  dataDirectory: '/r/data',
  startedAtSeconds: minutesAgo(11) / 1000,
  port: 5433,
  socketFolder: '/r/run',
  status: 'ready',
};
const file = (mode: number, uid = 101) => ({ uid, gid: 101, mode, modifiedMs: now });
const record = { name: 'shop', port: 5433, version: 15, bindir: '/pg/15', role: 'shop' } as unknown as InstanceRecord;
const well: InstanceFacts = {
  summary,
  record,
  postmaster,
  configuredPort: 5433,
  data: { path: '/r/data', ownership: file(0o750) },
  password: { path: '/r/password', ownership: file(0o600) },
  socket: '/r/run',
  owner: { name: 'postgres', uid: 101 },
  programsThere: true,
  installations: [{ bindir: '/pg/15', major: 15, version: '15.18' }],
  nowMs: now,
};
const changed = (change: Partial<InstanceFacts>) => judgeInstance({ ...well, ...change });
const state = (change: Partial<Summary>) => changed({ summary: { ...summary, ...change } });

describe('an instance', () => {
  it('is well', () => expect(told(judgeInstance(well))).toEqual([]));

  it('crashed, broken, starting for long', () => {
    expect(told(state({ state: 'crashed' }))).toEqual(['critical INSTANCE_CRASHED']);
    expect(told(state({ state: 'broken', message: 'no control file' }))).toEqual(['critical INSTANCE_BROKEN']);
    expect(told(state({ state: 'stopped' }))).toEqual([]);
    const starting = { ...summary, state: 'starting' as const };
    expect(told(changed({ summary: starting }))).toEqual(['warning STARTING_LONG']);
    const young = { ...postmaster, startedAtSeconds: minutesAgo(9) / 1000 };
    expect(told(changed({ summary: starting, postmaster: young }))).toEqual([]);
  });

  it('what an operation is at, or has left, is not told twice', () => {
    const unfinished = { action: 'create', begunAt: '', pid: 1, running: false };
    expect(told(changed({ record: undefined, summary: { ...summary, state: 'broken', unfinished } }))).toEqual([]);
  });

  it('a port that is not the one of the record', () => {
    expect(told(changed({ configuredPort: 5434 }))).toEqual(['warning PORT_DIFFERS']);
    const [elsewhere] = changed({ postmaster: { ...postmaster, port: 5440 } });
    expect(elsewhere).toMatchObject({ code: 'PORT_DIFFERS', remedy: './manage.ts --action restart --instance shop' });
    expect(elsewhere?.cause).toContain('port 5440, the record says 5433');
  });

  it('owners and modes; only what is ours can be mended', () => {
    const [data] = changed({ data: { path: '/r/data', ownership: file(0o755) } });
    expect(data).toMatchObject({ code: 'DATA_MODE', severity: 'critical', remedy: 'chmod 0700 /r/data' });
    expect(data?.fix).toEqual({ kind: 'mode', path: '/r/data', mode: 0o700 });
    const [password] = changed({ password: { path: '/r/password', ownership: file(0o640) } });
    expect(password).toMatchObject({ code: 'PASSWORD_MODE', severity: 'warning' });
    expect(password?.fix).toEqual({ kind: 'mode', path: '/r/password', mode: 0o600 });
    const foreign = changed({ password: { path: '/r/password', ownership: file(0o644, 0) } });
    expect(told(foreign)).toEqual(['critical WRONG_OWNER', 'warning PASSWORD_MODE']);
    expect(foreign.map(({ fix }) => fix)).toEqual([undefined, undefined]);
    const gone = changed({ password: { path: '/r/password', ownership: undefined } });
    expect(told(gone)).toEqual(['warning PASSWORD_MISSING']);
    expect(gone[0]?.remedy).toContain(String.raw`'\password shop'`);
  });

  it('programs that moved or are gone', () => {
    const elsewhere = [{ bindir: '/opt/15', major: 15, version: '15.18' }];
    expect(told(changed({ programsThere: false, installations: elsewhere }))).toEqual(['info PROGRAMS_MOVED']);
    expect(told(changed({ programsThere: false, installations: [] }))).toEqual(['critical PROGRAMS_GONE']);
    expect(told(changed({ installations: [] }))).toEqual([]);
  });
});

const server: ServerFacts = {
  name: 'shop',
  address: { host: '/r/run', port: 5433 },
  used: 74,
  max: 103,
  reserved: 3,
  idleLimitMs: 0,
  hasPooler: false,
  clients: [{ user: 'shop', application: 'web', state: 'idle', count: 74, oldestSeconds: 60 }],
  idle: [{ pid: 7, user: 'shop', application: 'web', seconds: 300 }],
  pendingRestart: [],
  configurationErrors: [],
  checksumFailures: [{ database: 'shop', failures: 0 }],
};

describe('a server', () => {
  it('is well at every threshold', () => expect(told(judgeServer(server))).toEqual([]));

  it('connections: 75 and 90 % of what clients may have, and by whom', () => {
    expect(told(judgeServer({ ...server, used: 75 }))).toEqual(['warning CONNECTIONS_HIGH']);
    expect(told(judgeServer({ ...server, used: 89 }))).toEqual(['warning CONNECTIONS_HIGH']);
    const [finding] = judgeServer({ ...server, used: 90 });
    expect(finding?.severity).toBe('critical');
    expect(finding?.cause).toBe(
      '90 of the 100 connections that clients may have are taken (90 %): 74 by shop (web), idle for up to 1 min; ' +
        'raising max_connections by 52 would commit 104 MB more.',
    );
  });

  it('idle in transaction for more than five minutes: the oldest is named', () => {
    const idle = [...server.idle, { pid: 8, user: 'bob', application: '', seconds: 301 }];
    const [finding] = judgeServer({ ...server, idle });
    expect(finding).toMatchObject({ code: 'IDLE_IN_TRANSACTION', severity: 'warning' });
    expect(finding?.cause).toContain('process 8 of bob for 5 min');
    expect(finding?.remedy).toBe("psql -h /r/run -p 5433 -U postgres -d postgres -c 'select pg_terminate_backend(8)'");
  });

  it('settings that wait, checksums that failed', () => {
    expect(told(judgeServer({ ...server, pendingRestart: ['max_connections'] }))).toEqual(['warning RESTART_PENDING']);
    const configurationErrors = [{ file: '/d/postgresql.conf', line: 7, error: 'syntax error' }];
    expect(told(judgeServer({ ...server, configurationErrors }))).toEqual(['critical CONFIGURATION_BROKEN']);
    const checksumFailures = [{ database: 'shop', failures: 2 }];
    expect(told(judgeServer({ ...server, checksumFailures }))).toEqual(['critical CHECKSUM_FAILURES']);
  });

  it('that does not answer: stopped, without slots, or for reasons of its own', () => {
    const silence = (stopped: boolean, sqlState?: string) =>
      judgeSilence('shop', { pid: 42, stopped, why: 'timeout expired', sqlState });
    expect(silence(true)).toMatchObject({ code: 'SERVER_SILENT', severity: 'critical', remedy: 'kill -CONT 42' });
    expect(silence(false).cause).toContain('timeout expired');
    expect(silence(false, '53300')).toMatchObject({ code: 'CONNECTIONS_HIGH', severity: 'critical' });
  });
});

describe('locks, leases and the journal', () => {
  const process = { pid: 9, started: '', host: '' };

  it('a lock is a warning after an hour', () => {
    const lock = (minutes: number) => ({
      subject: 'shop',
      holder: {
        mode: 'exclusive' as const,
        action: 'backup',
        since: new Date(minutesAgo(minutes)).toISOString(),
        process,
      },
    });
    const findings = judgeLocks([lock(60), lock(61)], now);
    expect(told(findings)).toEqual(['info LOCK_HELD', 'warning LOCK_HELD_LONG']);
    expect(findings[1]).toMatchObject({ subject: 'shop', remedy: 'ps -fp 9' });
    expect(findings[1]?.cause).toMatch(/backup \(process 9\) since 2026.* exclusive lock, for 61 min/);
  });

  it('leases', () => {
    const row = { port: 5433, purpose: 'postgres', instance: 'shop', root: '/r', user: 'me', listening: true };
    const listener = { pid: 5, command: 'nc -l' };
    const judged = (finding: 'ok' | 'stranger' | 'orphan' | 'unleased') => judgeLeases([{ ...row, listener, finding }]);
    expect(judged('ok')).toEqual([]);
    expect(judged('stranger')).toMatchObject([{ code: 'PORT_STRANGER', severity: 'critical', subject: 'shop' }]);
    expect(judged('stranger')[0]?.cause).toContain('process 5 (nc -l)');
    expect(judged('orphan')).toMatchObject([{ code: 'LEASE_ORPHAN', fix: { kind: 'release-lease', port: 5433 } }]);
    expect(judged('unleased')).toMatchObject([{ code: 'LEASE_MISSING', fix: { kind: 'renew-lease' } }]);
  });

  it('unfinished operations, also those of no instance', () => {
    const entry = { schema: 1 as const, id: 'x', action: 'create', begunAt: '', process, settled: false, steps: [] };
    const [shop, host] = judgeUnfinished(
      [
        { ...entry, instance: 'shop' },
        { ...entry, instance: '' },
      ],
      now,
    );
    expect(shop).toMatchObject({ subject: 'shop', severity: 'warning', fix: { kind: 'recover', instance: 'shop' } });
    expect(host).toMatchObject({ subject: 'host', code: 'UNFINISHED_OPERATION' });
  });
});

import { describe, expect, it } from '@jest/globals';
import { parseName } from '../../../lib/instances/names.ts';
import { figuresOf } from '../../../lib/watch/figures.ts';
import type { Sample } from '../../../lib/watch/observe.ts';
import type { DatabaseSample, ServerSample } from '../../../lib/watch/server-sample.ts';

const shop = parseName('shop');

function database(counters: Partial<DatabaseSample>): DatabaseSample {
  return {
    datname: 'shop',
    numbackends: 0,
    commits: 0,
    rollbacks: 0,
    blocksRead: 0,
    blocksHit: 0,
    deadlocks: 0,
    temporaryBytes: 0,
    checksumFailures: 0,
    frozenXidAge: 0,
    sizeBytes: 10,
    ...counters,
  };
}

function sampleAt(seconds: number, counters: Partial<DatabaseSample>, server: Partial<ServerSample> = {}): Sample {
  const asked: ServerSample = {
    startedAt: 1,
    maxConnections: 20,
    clientConnections: 17,
    sessions: [{ datname: 'shop', state: 'active', count: 3, transactionSeconds: 7 }],
    databases: [database(counters), database({ datname: 'postgres' })],
    locks: [],
    waiting: 1,
    archiver: { archived: 0, failed: 0, lastArchivedAt: null, lastFailedAt: null },
    pendingRestart: 0,
    idleSlots: 0,
    ...server,
  };
  return {
    name: shop,
    summary: { name: 'shop', state: 'running', message: null, port: 5433 } as Sample['summary'],
    record: undefined,
    takenMs: seconds * 1000,
    server: asked,
    silence: undefined,
    waitingWal: { segments: 2, oldestMs: 940_000 },
    backups: { verifiedAt: 900 } as Sample['backups'],
    handHash: undefined,
  };
}

describe('the figures of a look', () => {
  const first = sampleAt(10, { commits: 1000, rollbacks: 10, blocksHit: 90, blocksRead: 10 });

  it('alone has no rate, and the hits of all time', () => {
    expect(figuresOf(first, undefined, 1_000_000)).toMatchObject({
      connections: { used: 3, max: 20 },
      transactionsPerSecond: null,
      cacheHitRatio: 0.9,
      waiting: 1,
      transactionSeconds: 7,
      archiveLagSeconds: 60,
      sizeBytes: 20,
      verifiedAgeSeconds: 100,
    });
  });

  it('after another tells what came between, without our own two transactions', () => {
    const second = sampleAt(15, { commits: 1050, rollbacks: 12, blocksHit: 90, blocksRead: 30 });
    expect(figuresOf(second, first, 0)).toMatchObject({ transactionsPerSecond: 10, cacheHitRatio: 0 });
  });

  it.each([
    ['counters that began anew', sampleAt(15, { commits: 5 })],
    ['a server that was restarted', sampleAt(15, { commits: 9000 }, { startedAt: 2 })],
    ['a server that is silent', { ...first, server: undefined }],
  ])('has no rate after %s', (_, second) => {
    expect(figuresOf(second, first, 0).transactionsPerSecond).toBeNull();
    expect(figuresOf(first, second, 0).transactionsPerSecond).toBeNull();
  });
});

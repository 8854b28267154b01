import type { Sample } from './observe.ts';
import type { DatabaseSample } from './server-sample.ts';

/** What a monitor shows of one instance; null where it is not known. */
export interface Figures {
  name: string;
  state: string;
  /** Why the state is what it is; null where that is plain. */
  message: string | null;
  port: number | null;
  connections: { used: number | null; max: number | null };
  /** Transactions a second since the look before, committed or not. */
  transactionsPerSecond: number | null;
  /** Of the blocks asked for since the look before, 0 to 1; over all time where none was. */
  cacheHitRatio: number | null;
  /** Sessions that wait for a lock. */
  waiting: number | null;
  /** Of the longest open transaction. */
  transactionSeconds: number | null;
  deadlocks: number | null;
  /** How long the oldest WAL waits to be archived; 0 where none waits. */
  archiveLagSeconds: number;
  committedBytes: number | null;
  /** All databases together. */
  sizeBytes: number | null;
  /** Since the newest verified backup was finished. */
  verifiedAgeSeconds: number | null;
}

/** Pure: what one look says, and what has changed since the one before. */
export function figuresOf(sample: Sample, before: Sample | undefined, nowMs: number): Figures {
  const { summary, server, record, waitingWal, backups } = sample;
  const databases = server?.databases;
  const sum = (read: (database: DatabaseSample) => number): number | null =>
    databases?.reduce((total, database) => total + read(database), 0) ?? null;
  const { oldestMs } = waitingWal;
  return {
    name: sample.name,
    state: summary.state,
    message: summary.message,
    port: summary.port,
    connections: {
      used: server?.sessions.reduce((total, { count }) => total + count, 0) ?? null,
      max: server?.maxConnections ?? record?.maxConnections ?? null,
    },
    transactionsPerSecond: rateOf(sample, before),
    cacheHitRatio: hitRatioOf(sample, before),
    waiting: server?.waiting ?? null,
    transactionSeconds: server ? Math.max(0, ...server.sessions.map((one) => one.transactionSeconds)) : null,
    deadlocks: sum(({ deadlocks }) => deadlocks),
    archiveLagSeconds: oldestMs === undefined ? 0 : Math.max(0, (nowMs - oldestMs) / 1000),
    committedBytes: record?.committedBytes ?? null,
    sizeBytes: sum(({ sizeBytes }) => sizeBytes ?? 0),
    verifiedAgeSeconds: backups.verifiedAt === undefined ? null : Math.max(0, nowMs / 1000 - backups.verifiedAt),
  };
}

interface Counters {
  transactions: number;
  hit: number;
  read: number;
}

function countersOf({ server }: Sample): Counters | undefined {
  return server?.databases.reduce(
    ({ transactions, hit, read }, one) => ({
      transactions: transactions + one.commits + one.rollbacks,
      hit: hit + one.blocksHit,
      read: read + one.blocksRead,
    }),
    { transactions: 0, hit: 0, read: 0 },
  );
}

/** What was counted between two looks; undefined where a restart or a reset has made the counters begin anew. */
function between(sample: Sample, before: Sample | undefined): Counters | undefined {
  const [now, then] = [countersOf(sample), before && countersOf(before)];
  if (now === undefined || then === undefined || sample.server?.startedAt !== before?.server?.startedAt)
    return undefined;
  const [transactions, hit, read] = [now.transactions - then.transactions, now.hit - then.hit, now.read - then.read];
  return Math.min(transactions, hit, read) < 0 ? undefined : { transactions, hit, read };
}

function rateOf(sample: Sample, before: Sample | undefined): number | null {
  const counted = between(sample, before);
  const seconds = (sample.takenMs - (before?.takenMs ?? sample.takenMs)) / 1000;
  if (counted === undefined || seconds <= 0) return null;
  // Not our own: to connect is a transaction (InitPostgres), and so is to ask.
  return Math.max(0, counted.transactions - 2) / seconds;
}

function hitRatioOf(sample: Sample, before: Sample | undefined): number | null {
  const counted = between(sample, before);
  const { hit, read } =
    counted && counted.hit + counted.read > 0 ? counted : (countersOf(sample) ?? { hit: 0, read: 0 });
  return hit + read === 0 ? null : hit / (hit + read);
}

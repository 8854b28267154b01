import { createHash } from 'node:crypto';
import { listBackups } from '../backups/catalogue.ts';
import { type WaitingWal, waitingWal } from '../backups/waiting-wal.ts';
import { monotonicMs } from '../host/clock.ts';
import { isStopped } from '../host/inspect.ts';
import type { InstanceName } from '../instances/names.ts';
import { readConfigured } from '../instances/own-settings.ts';
import { instancePaths, type Places } from '../instances/places.ts';
import { type InstanceRecord, readRecord } from '../instances/record.ts';
import { stoppingMessage } from '../instances/state.ts';
import { type Summary, summarize } from '../instances/summary.ts';
import { livePostmaster } from '../postgres/postmaster.ts';
import { sampleServer, type ServerSample } from './server-sample.ts';

/** What the catalogue has of an instance's backups; moments in seconds since 1970, undefined where there is none. */
export interface BackupSample {
  lastAt: number | undefined;
  lastBytes: number | undefined;
  previousBytes: number | undefined;
  /** When the newest verified backup was finished. */
  verifiedAt: number | undefined;
  /** The newest test restore, however it ended. */
  testedAt: number | undefined;
  testPassed: boolean | undefined;
  restoreSeconds: number | undefined;
}

/** One look at one instance. */
export interface Sample {
  name: InstanceName;
  summary: Summary;
  /** Absent while it is being made, and where its record cannot be read. */
  record: InstanceRecord | undefined;
  /** By the clock that never jumps, in milliseconds: for rates between two looks. */
  takenMs: number;
  /** Absent where no server answers. */
  server: ServerSample | undefined;
  /** Why a server that lives did not answer. */
  silence: string | undefined;
  waitingWal: WaitingWal;
  backups: BackupSample;
  /** Of all settings that the tool's own files do not set: it changes when one is changed by hand. */
  handHash: number | undefined;
}

export interface Looking {
  places: Places;
  signal: AbortSignal;
  /** Whether to measure how large databases are, which reads the length of every file. */
  sizes: boolean;
}

/**
 * Looks at all of them side by side, so that a silent one holds up nobody. One that is destroyed meanwhile is left out.
 * @throws only when interrupted
 */
export async function observeAll(looking: Looking, names: readonly InstanceName[]): Promise<Sample[]> {
  const samples = await Promise.all(names.map(async (name) => await observeOne(looking, name)));
  return samples.filter((sample) => sample !== undefined);
}

/** As `observeAll`, of one; undefined when there is no such instance any more. */
export async function observeOne(looking: Looking, name: InstanceName): Promise<Sample | undefined> {
  const { places } = looking;
  const seen = tolerant(() => summarize({ places }, name));
  if (seen === undefined) return undefined;
  const record = seen.id === null ? undefined : tolerant(() => readRecord(places, name));
  const { data } = instancePaths(places, name);
  const asked: Asked = seen.state === 'running' && record ? await ask(looking, record, data) : {};
  return {
    name,
    // A server that is there and does not answer is no running one; status says the same.
    summary:
      asked.silence === undefined || seen.message === stoppingMessage
        ? seen
        : { ...seen, state: 'starting', message: asked.silence },
    record,
    takenMs: monotonicMs(),
    server: asked.server,
    silence: asked.silence,
    waitingWal: tolerant(() => waitingWal(data)) ?? { segments: 0, oldestMs: undefined },
    backups: tolerant(() => sampleBackups(places, name)) ?? noBackups,
    handHash: tolerant(() => hashOf(readConfigured(data).own)),
  };
}

type Asked = Partial<Pick<Sample, 'server' | 'silence'>>;

async function ask({ places, signal, sizes }: Looking, record: InstanceRecord, data: string): Promise<Asked> {
  const pid = livePostmaster(data)?.pid;
  if (pid !== undefined && isStopped(pid)) return { silence: `process ${pid} is stopped (SIGSTOP or a debugger)` };
  try {
    return { server: await sampleServer(places, record, { signal, sizes }) };
  } catch (error) {
    signal.throwIfAborted();
    return { silence: (error as Error).message };
  }
}

const noBackups: BackupSample = {
  lastAt: undefined,
  lastBytes: undefined,
  previousBytes: undefined,
  verifiedAt: undefined,
  testedAt: undefined,
  testPassed: undefined,
  restoreSeconds: undefined,
};

function sampleBackups(places: Places, name: InstanceName): BackupSample {
  const taken = listBackups(places, name);
  const sound = taken.filter(({ state }) => state !== 'failed');
  const tests = taken.flatMap(({ verification }) => verification ?? []);
  const tested = tests.toSorted((a, b) => (a.verifiedAt < b.verifiedAt ? -1 : 1)).at(-1);
  const verified = taken.findLast(({ state }) => state === 'verified');
  return {
    lastAt: secondsOf(sound.at(-1)?.finishedAt),
    lastBytes: sound.at(-1)?.sizeBytes,
    previousBytes: sound.at(-2)?.sizeBytes,
    verifiedAt: secondsOf(verified?.finishedAt),
    testedAt: secondsOf(tested?.verifiedAt),
    testPassed: tested && tested.state === 'verified',
    restoreSeconds: verified?.verification?.restoreSeconds ?? undefined,
  };
}

function secondsOf(iso: string | undefined): number | undefined {
  return iso === undefined ? undefined : Date.parse(iso) / 1000;
}

/** 48 bits of SHA-256: as much as a sample's double holds exactly. */
function hashOf(value: unknown): number {
  return createHash('sha256').update(JSON.stringify(value)).digest().readUIntBE(0, 6);
}

/** What cannot be looked into is told by diagnose; here it is only absent. */
function tolerant<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

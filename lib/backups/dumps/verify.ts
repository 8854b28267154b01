import { join } from 'node:path';
import { AppError } from '../../errors.ts';
import { monotonicMs, nowIso } from '../../host/clock.ts';
import { ensureFolder, makeFolder, removeFolder } from '../../host/folders.ts';
import { endProcessesOn } from '../../host/processes.ts';
import { socketFolder } from '../../instances/places.ts';
import type { Operation } from '../../operation.ts';
import { dumpPrograms } from '../../postgres/dump.ts';
import { makeDataDirectory } from '../../postgres/blank.ts';
import { superuser } from '../../postgres/initdb.ts';
import type { Installation } from '../../postgres/installations.ts';
import { startServer, stopServer, waitUntilReady } from '../../postgres/server.ts';
import { type ConnectOptions, sqlState, withClient } from '../../postgres/sql.ts';
import { patienceMs, walBytes } from '../../postgres/startup.ts';
import { raiseAlarm } from '../alarm.ts';
import type { Check } from '../catalogue.ts';
import { apart, askingSettings, privatePort } from '../isolation.ts';
import { scratchFolder } from '../scratch.ts';
import { compareFiles } from '../stored-files.ts';
import { isForWantOfRoom } from '../test-restore.ts';
import { type Dump, type DumpedDatabase, dumpFolder, writeDump } from './catalogue.ts';
import { censusDifferences, countDatabase, describeCensus } from './census.ts';
import { asksOthers, type Filling, makeDatabase, prepareServer } from './fill.ts';

/**
 * Restores a dump into a new server beside the living ones, counts what came of it, and writes into the catalogue what was
 * found: only here does a dump become `verified`. Damaged bytes raise the alarm of the instance.
 * @throws DISK_SPACE, NO_PG_DUMP: nothing is written then, as that says nothing about the dump
 */
export async function verifyDump(operation: Operation, installation: Installation, dump: Dump): Promise<Dump> {
  const { places } = operation;
  const { name } = dump.instance;
  const folder = dumpFolder(places, name, dump.id);
  const begunMs = monotonicMs();
  const stored = await compareFiles(folder, dump.files);
  if (!stored.ok) raiseAlarm(places, name, `dump ${dump.id}`, `${stored.name}: ${stored.detail}`);
  const restored = stored.ok ? await tryRestore(operation, installation, dump) : { checks: [], seconds: null };
  const checks = [stored, ...restored.checks];
  const state = checks.every(({ ok }) => ok) ? 'verified' : 'failed';
  const verification = {
    state,
    verifiedAt: nowIso(),
    seconds: Math.round(monotonicMs() - begunMs) / 1000,
    restoreSeconds: restored.seconds,
    recoveredToLsn: null,
    checks,
  } as const;
  const judged: Dump = { ...dump, state, verification };
  writeDump(folder, judged);
  return judged;
}

/** @throws BACKUP_NOT_PROVEN (7) naming what failed */
export function assertDumpProven(dump: Dump): void {
  if (dump.state === 'verified') return;
  const failed = dump.verification?.checks.filter(({ ok }) => !ok) ?? [];
  const [first] = failed;
  throw new AppError(
    'BACKUP_NOT_PROVEN',
    `${dump.type} ${dump.id} is not proven: ${first ? `${first.name}: ${first.detail}` : 'not checked'}`,
    {
      hint: `take a new one: ./manage.ts --action backup --instance ${dump.instance.name} --backup-type ${dump.type}; this one is kept for inspection`,
      ...(failed.length > 1 ? { output: failed.map((check) => `${check.name}: ${check.detail}`).join('\n') } : {}),
      data: { id: dump.id, state: dump.state, verification: dump.verification },
    },
  );
}

interface Tried {
  checks: Check[];
  /** From nothing to a server that has all of it; null where it did not come to that. */
  seconds: number | null;
}

async function tryRestore(operation: Operation, installation: Installation, dump: Dump): Promise<Tried> {
  const { places } = operation;
  const programs = dumpPrograms(installation);
  const folder = dumpFolder(places, dump.instance.name, dump.id);
  const begunMs = monotonicMs();
  const checks: Check[] = [];
  await withNewServer(operation, installation, dump, async (server, scratch) => {
    const filling: Filling = {
      programs,
      folder,
      server,
      tablespaces: join(scratch, 'tablespaces'),
      entriesFile: join(scratch, 'entries'),
    };
    const there = new Set([superuser]);
    const roles = async (): Promise<string> => {
      await prepareServer(dump, filling, { present: there, untouched: there });
      return 'made as they were';
    };
    checks.push(await check(operation, 'roles', roles));
    for (const database of checks.every(({ ok }) => ok) ? dump.databases : []) {
      checks.push(
        await check(
          operation,
          `database ${database.name}`,
          async () => await fillAndCount(operation, dump, filling, database),
        ),
      );
    }
  });
  const whole = checks.every(({ ok }) => ok);
  return { checks, seconds: whole ? Math.round(monotonicMs() - begunMs) / 1000 : null };
}

/** @returns what there is now. @throws RESTORE_FAILED when that is not what was dumped */
async function fillAndCount(
  { task }: Operation,
  dump: Dump,
  filling: Filling,
  database: DumpedDatabase,
): Promise<string> {
  await makeDatabase(task, dump, filling, database);
  const found = await withClient(
    { ...filling.server, database: database.name },
    async (client) => await countDatabase(client, dump.type !== 'schema'),
  );
  const different = censusDifferences(database.census, found);
  if (different.length > 0) throw new AppError('RESTORE_FAILED', different.slice(0, 5).join('; '));
  const unfilled = asksOthers(found) && (found.objects['materialized views'] ?? 0) > 0;
  return `${describeCensus(found)}${unfilled ? '; materialized views left empty: no foreign server is asked' : ''}`;
}

/** A failure is an answer, unless it is one of the machine or of the person who waits. */
async function check({ task }: Operation, name: string, work: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, detail: await work() };
  } catch (error) {
    task.signal.throwIfAborted();
    const aboutDump = error instanceof AppError || sqlState(error) !== undefined;
    if (!aboutDump || isForWantOfRoom(error) || sqlState(error) === '53100') throw error;
    const { message, output } = error as AppError;
    const words = output?.split('\n').find((line) => line.includes('error:'));
    return { name, ok: false, detail: words === undefined ? message : `${message}: ${words}` };
  }
}

/** Lends an empty server that nobody else reaches, and removes it. */
async function withNewServer(
  operation: Operation,
  installation: Installation,
  { id, preloaded }: Dump,
  work: (server: ConnectOptions, scratch: string) => Promise<void>,
): Promise<void> {
  const { places, task, journal } = operation;
  const scratch = scratchFolder(operation, id);
  const data = join(scratch, 'data');
  const socket = socketFolder(places, join(scratch, 'run'));
  journal.intend({ kind: 'folder', path: scratch });
  if (socket !== join(scratch, 'run')) journal.intend({ kind: 'folder', path: socket });
  ensureFolder(places.scratch);
  makeFolder(scratch);
  ensureFolder(socket);
  try {
    const pid = await task.step('start an empty server', async (step) => {
      await makeDataDirectory(installation, { dataDirectory: data, signal: task.signal });
      const settings = {
        ...apart({ major: installation.major, scratch, data, socket }),
        shared_preload_libraries: preloaded,
      };
      const files = { dataDirectory: data, outputFile: join(scratch, 'server.log') };
      const started = await startServer(installation, files, settings);
      const patience = { timeoutMs: Infinity, stillMs: patienceMs('', walBytes(data)) };
      const ready = await waitUntilReady(started, task, {
        ...patience,
        progress: step.progress,
        words: started.output,
      });
      return ready.pid;
    });
    const limitMs = 24 * 60 * 60 * 1000; // the largest table may take hours
    const address = { host: socket, port: privatePort, user: superuser, database: 'postgres' };
    await work({ ...address, signal: task.signal, timeoutMs: limitMs, settings: askingSettings }, scratch);
    await stopServer(pid, 'fast', 600_000, task.signal);
  } finally {
    for (const folder of new Set([scratch, socket])) {
      await endProcessesOn(folder);
      await removeFolder(folder);
    }
  }
}

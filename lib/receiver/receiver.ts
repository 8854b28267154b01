import { join } from 'node:path';
import { askStream } from '../backups/stream.ts';
import { assertArchive } from '../backups/preflight.ts';
import { pruneTail, tailFolder } from '../backups/tail.ts';
import { AppError } from '../errors.ts';
import { readCallersFile } from '../host/callers-files.ts';
import { exists, fileSize, readTextFrom } from '../host/files.ts';
import { ensureFolder, removeFile } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { startDaemon } from '../host/programs.ts';
import { projectDirectory } from '../host/project.ts';
import { poll } from '../host/wait.ts';
import { receiverRole } from '../instances/configure.ts';
import { asSuperuser } from '../instances/connection.ts';
import { parseName } from '../instances/names.ts';
import { instancePaths } from '../instances/places.ts';
import { type InstanceRecord, readRecord } from '../instances/record.ts';
import { observe } from '../instances/state.ts';
import type { Operation } from '../operation.ts';
import { receivewalProgram } from '../postgres/receivewal.ts';
import { lastLines } from '../postgres/server.ts';
import { withClient } from '../postgres/sql.ts';
import { defaultSegmentBytes } from '../postgres/wal.ts';
import { closeEntry, openEntry } from './entry.ts';
import { receiverPaths } from './places.ts';
import { endReceiver, liveReceiver } from './process.ts';

type Receiving = Pick<Operation, 'places' | 'task'>;

/**
 * Starts the receiver that a running instance's record asks for, and waits until it streams. One that does already is left
 * alone; any other is ended and begun anew. Where the record asks for none, what is left of an earlier one is taken away.
 * @throws NO_PG_RECEIVEWAL; RECEIVER_FAILED with its own words; BACKUP_FAILED where the archive is not this instance's
 */
export async function startReceiver({ places, task }: Receiving, record: InstanceRecord): Promise<void> {
  const { name } = record;
  if (record.archive !== 'streaming') return await removeReceiver({ places, task }, record);
  await task.step('start receiver', async (step) => {
    const program = receivewalProgram({ bindir: record.bindir, major: record.version });
    const paths = receiverPaths(places, name);
    const ask = { ...asSuperuser(instancePaths(places, name), record), signal: task.signal, timeoutMs: 10_000 };
    const stream = async () => await withClient(ask, askStream);
    if (liveReceiver(paths).script !== undefined && (await stream())?.streaming === true) return;
    assertArchive(places, record);
    await endReceiver(paths, task.signal);
    pruneTail(paths.archive, defaultSegmentBytes);
    const timeline = await openEntry(task, instancePaths(places, name), record);
    const folder = tailFolder(paths.archive, timeline);
    for (const one of [paths.tail, folder]) ensureFolder(one);
    writeFileForGood(paths.script, readCallersFile(join(projectDirectory, 'templates', 'receive-wal.sh')), 0o700);
    const said = fileSize(paths.output) ?? 0;
    const server = [ask.host, String(record.port), receiverRole];
    const daemon = await startDaemon(paths.script, [program, ...server, folder, paths.output], paths.output);
    let last: Awaited<ReturnType<typeof stream>>;
    const streaming = async (): Promise<true | undefined> => {
      last = await stream();
      if (daemon.ended() !== undefined) throw failed(name, `it ended (${daemon.ended()})`, words());
      return last?.streaming === true ? true : undefined;
    };
    const words = (): string => lastLines(readTextFrom(paths.output, said));
    if (!(await poll(streaming, { signal: task.signal, timeoutMs: 20_000, maxMs: 200 }))) {
      throw failed(name, 'it does not stream', words());
    }
    if (last?.capBytes === null) {
      task.warn(
        `max_slot_wal_keep_size is not set on ${name}: a dead receiver would fill its disk; plan it with: ./manage.ts tune ${name} --apply`,
      );
    }
    step.result(`timeline ${timeline}`);
  });
}

function failed(name: string, why: string, output: string): AppError {
  return new AppError('RECEIVER_FAILED', `the receiver of ${name} did not start: ${why}`, {
    hint: `the server itself runs, and archives whole segments; try again with: ./manage.ts start ${name}, or do without: ./manage.ts tune ${name} --archive command --apply`,
    output,
  });
}

/** Ends the receiver of an instance, if one runs; returns whether it did. */
export async function stopReceiver({ places, task }: Receiving, { name }: InstanceRecord): Promise<boolean> {
  const paths = receiverPaths(places, name);
  const { script, programs } = liveReceiver(paths);
  if (script === undefined && programs.length === 0) return false;
  return await task.step('stop receiver', async () => await endReceiver(paths, task.signal));
}

/**
 * Takes away what a receiver had: above all its slot, for which the server would keep WAL. Its script is the last to go, and
 * tells that there was one.
 */
async function removeReceiver({ places, task }: Receiving, record: InstanceRecord): Promise<void> {
  const { script } = receiverPaths(places, record.name);
  if (!exists(script)) return;
  await stopReceiver({ places, task }, record);
  await closeEntry(task, instancePaths(places, record.name), record);
  removeFile(script);
}

/**
 * Lets the receiver of an instance be as its record says, whatever an operation that did not end has left. Of a server that does
 * not run, the next start does it.
 */
export async function matchReceiver(operation: Receiving, instance: string): Promise<void> {
  const { places } = operation;
  const record = readRecord(places, parseName(instance));
  if (record === undefined) return;
  const { state, message } = observe(instancePaths(places, record.name), record);
  if (state === 'running' && message === undefined) await startReceiver(operation, record);
  else if (record.archive !== 'streaming') await stopReceiver(operation, record);
}

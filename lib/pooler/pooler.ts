import { AppError } from '../errors.ts';
import { readCallersFile } from '../host/callers-files.ts';
import { fileSize, readText, readTextFrom } from '../host/files.ts';
import { ensureFolder } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { isBindable, listenerOn, type Port } from '../host/ports.ts';
import type { ProcessIdentity } from '../host/processes.ts';
import { startDaemon } from '../host/programs.ts';
import { projectDirectory } from '../host/project.ts';
import { poll } from '../host/wait.ts';
import { asRole, assertIdentity, clientHost } from '../instances/connection.ts';
import { instancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { busySessions, graceMs } from '../instances/stop.ts';
import type { Operation } from '../operation.ts';
import { describeListener, portInUse } from '../ports/leases.ts';
import { lastLines } from '../postgres/server.ts';
import { readLoad, reconnect, reload } from './console.ts';
import { askFacts } from './facts.ts';
import { type PoolerPaths, poolerPaths } from './places.ts';
import { planPooler, type PoolerPlan, type PoolerWishes } from './plan.ts';
import { endPooler, livePooler } from './process.ts';
import { findPgbouncer, type PoolerProgram } from './program.ts';
import { portIn, renderPooler } from './render.ts';
import { openLookup } from './secrets.ts';

type Pooling = Pick<Operation, 'places' | 'leases' | 'task'>;

/** What a pooler of a running instance would be. @throws NO_PGBOUNCER, POOLER_BUDGET */
export async function planFor(
  { places, task: { signal } }: Pooling,
  record: InstanceRecord,
  wishes: PoolerWishes,
): Promise<{ plan: PoolerPlan; program: PoolerProgram }> {
  const program = await findPgbouncer(signal);
  const facts = await askFacts(instancePaths(places, record.name), record, program.version, signal);
  return { plan: planPooler(facts, wishes), program };
}

/**
 * Starts the pooler that a running instance's record names, or has a running one take what is new: the server's limits and
 * databases are asked each time. Nothing to do is success, and so is a record that names none.
 * @throws NO_PGBOUNCER, POOLER_BUDGET, PORT_IN_USE; POOLER_FAILED with the pooler's own words
 */
export async function startPooler(operation: Pooling, record: InstanceRecord): Promise<PoolerPlan | undefined> {
  const { places, leases, task } = operation;
  const { name, pooler, id: instanceId } = record;
  if (pooler === undefined) return undefined;
  return await task.step('start pooler', async (step) => {
    const { plan, program } = await planFor(operation, record, pooler);
    for (const warning of plan.warnings) task.warn(warning);
    leases.renew(pooler.port, { purpose: 'pooler', instanceId, instance: name, root: places.root });
    const paths = poolerPaths(places, name);
    await openLookup(
      task,
      instancePaths(places, name),
      record,
      plan.pools.map(({ database }) => database),
    );
    await bringUp(operation, { record, port: pooler.port, plan, program, paths });
    step.result(`port ${pooler.port}, ${plan.mode} mode, at most ${plan.serverConnections} server connections`);
    return plan;
  });
}

interface Wanted {
  record: InstanceRecord;
  port: Port;
  plan: PoolerPlan;
  program: PoolerProgram;
  paths: PoolerPaths;
}

async function bringUp(operation: Pooling, wanted: Wanted): Promise<void> {
  const { places, task } = operation;
  const { record, port, plan, program, paths } = wanted;
  for (const folder of [paths.folder, paths.socket]) ensureFolder(folder);
  const before = readText(paths.configuration);
  const text = renderPooler(paths, {
    name: record.name,
    port,
    server: { host: instancePaths(places, record.name).socket, port: record.port },
    plan,
    version: program.version,
    template: readCallersFile(`${projectDirectory}/templates/pgbouncer.ini`),
  });
  if (text !== before) writeFileForGood(paths.configuration, text);
  let live = livePooler(paths);
  // Where it listens is all that a running one cannot change.
  if (live !== undefined && portIn(before) !== port) {
    await endPooler(live, 0, task.signal);
    live = undefined;
  }
  if (live === undefined) return await launchPooler(operation, wanted);
  if (text !== before) await reload(paths, port, task.signal);
}

async function launchPooler({ places, task }: Pooling, { record, port, program, paths }: Wanted): Promise<void> {
  if (!(await isBindable(port))) throw portInUse(port, describeListener(port), poolerHint(record.name));
  const said = fileSize(paths.output) ?? 0;
  const words = (): string => lastLines(readTextFrom(paths.output, said));
  const daemon = await startDaemon(program.path, [paths.configuration], paths.output);
  const listening = async (): Promise<true | undefined> => {
    const how = daemon.ended();
    if (how !== undefined) throw failed(record.name, `it ended (${how})`, words());
    return (await answers(paths, port, task.signal)) && isOurs(port, daemon.pid) ? true : undefined;
  };
  if (!(await poll(listening, { signal: task.signal, timeoutMs: 10_000, maxMs: 200 }))) {
    throw failed(record.name, `it does not answer on port ${port}`, words());
  }
  await proveServing(task, record, asRole(instancePaths(places, record.name), record), port, words);
}

async function answers(paths: PoolerPaths, port: number, signal: AbortSignal): Promise<boolean> {
  try {
    await readLoad(paths, port, signal);
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

/** PgBouncer goes on without its port when another program has taken it meanwhile. Where nobody can tell, it counts as ours. */
function isOurs(port: number, pid: number): boolean {
  return process.platform !== 'linux' || listenerOn(port)?.pid === pid;
}

/** A client's whole way: through the pooler, by the stored password, to this very server. */
async function proveServing(
  task: Operation['task'],
  record: InstanceRecord,
  role: ReturnType<typeof asRole>,
  port: number,
  words: () => string,
): Promise<void> {
  const address = { ...role, host: clientHost, port, signal: task.signal, timeoutMs: 10_000 };
  try {
    await assertIdentity(address, record);
  } catch (error) {
    task.signal.throwIfAborted();
    const { message } = error as Error;
    if (error instanceof AppError) throw error;
    if (!/authentication failed|no such user/.test(message)) throw failed(record.name, message, words());
    task.warn(
      `the pooler of ${record.name} runs, but role ${record.role} cannot log in: the stored password is refused`,
    );
  }
}

function failed(name: string, why: string, output: string): AppError {
  return new AppError('POOLER_FAILED', `the pooler of ${name} did not start: ${why}`, {
    hint: `the server itself runs; try again with: ./manage.ts start ${name}, or do without: ./manage.ts pooler ${name} --off`,
    output,
  });
}

/** What to do when the port of a pooler is somebody else's. */
function poolerHint(name: string): string {
  return `end that program, or move the pooler: ./manage.ts pooler ${name} --port auto`;
}

/**
 * Ends the pooler of an instance, if one runs. Clients in the middle of something have the same moment for it that a server's
 * sessions have.
 * @returns whether it ran
 */
export async function stopPooler(
  { places, task }: Pick<Operation, 'places' | 'task'>,
  record: InstanceRecord,
  { orderly, timeoutMs = graceMs }: { orderly: boolean; timeoutMs?: number | undefined },
): Promise<boolean> {
  const live: ProcessIdentity | undefined = livePooler(poolerPaths(places, record.name));
  if (live === undefined) return false;
  return await task.step('stop pooler', async () => {
    const busy = orderly ? await busySessions(task, instancePaths(places, record.name), record) : [];
    await endPooler(live, busy.length > 0 ? Math.min(graceMs, timeoutMs) : 0, task.signal);
    return true;
  });
}

/** After a change of tables: no server connection that knew them before serves on. What fails here is told, not thrown. */
export async function reconnectPooler({ places, task }: Pick<Operation, 'places' | 'task'>, record: InstanceRecord) {
  const paths = poolerPaths(places, record.name);
  if (record.pooler === undefined || livePooler(paths) === undefined) return;
  try {
    await reconnect(paths, record.pooler.port, task.signal);
  } catch (error) {
    task.signal.throwIfAborted();
    task.warn(
      `the pooler of ${record.name} was not told to reconnect (${(error as Error).message}): clients may see "cached plan must not change result type"; ./manage.ts restart ${record.name} ends that`,
    );
  }
}

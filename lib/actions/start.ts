import { otherMachine } from '../backups/machine-mark.ts';
import { startCompanions } from './companions.ts';
import { AppError } from '../errors.ts';
import { accessProblem, explainingAccess, fixPermissions } from '../instances/access.ts';
import { startInstance } from '../instances/lifecycle.ts';
import type { InstanceName } from '../instances/names.ts';
import { instancePaths } from '../instances/places.ts';
import { assertMemory, leaseHolderOf } from '../instances/memory.ts';
import { type InstanceRecord, meanToRun, writeRecord } from '../instances/record.ts';
import { livePostmaster } from '../postgres/postmaster.ts';
import type { Port } from '../host/ports.ts';
import { defaultRange, parsePort, parseRange, type PortRange } from '../ports/leases.ts';
import { type Context, instanceAction, type Outcome, type Values } from './action.ts';
import { defaultTimeoutMs, installationOf, openInstance, summaryOutcome } from './shared.ts';
import { tuningOptions } from './tuning-wishes.ts';

const options = {
  port: { type: 'string', alias: 'p', describe: 'move it to this port before; auto for a free one' },
  'fix-permissions': {
    type: 'boolean',
    describe: 'give the data directory back to the account that runs the servers, mode 0700',
  },
  'port-range': { type: 'string', describe: 'where auto looks for a free port (default 5433-5499)' },
  overcommit: tuningOptions.overcommit,
  'as-before': { type: 'boolean', describe: 'only what is meant to run: one that was stopped stays stopped' },
} as const;

export const start = instanceAction({
  name: 'start',
  summary: 'start, and wait until it answers',
  details:
    'Done when a query on its own database comes back from this very server. When time runs out while the server lives, it is left alone (exit status 6). An instance that runs already is success.',
  examples: [
    ['./manage.ts --action start --instance client-a', 'start one'],
    ["./manage.ts --action start --instance 'client-*' --jobs 4", 'start several, four at once'],
    ['./manage.ts start all --as-before', 'those that ran when the machine went down, or before --for-now'],
    ['./manage.ts start client-a --port auto', 'move it to a free port first: another program has taken its own'],
    ['./manage.ts start client-a --fix-permissions', 'when the data has come from a container and belongs to its user'],
  ],
  options,
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  async run(context, name, given) {
    if (given['fix-permissions'] === true) {
      const folders = instancePaths(context.places, name);
      if (context.dryRun) return wouldRepair(name, accessProblem(folders));
      await context.task.step('fix permissions', async () => fixPermissions(name, folders));
    }
    const { record: found, paths, archiveFolder } = openInstance(context, name);
    if (given['as-before'] === true && found.staysStopped) return summaryOutcome(context, name);
    const before = given.overcommit === true ? { ...found, overcommit: true } : found;
    const runs = explainingAccess(name, paths, () => livePostmaster(paths.data)) !== undefined;
    if (!runs) assertMemory(context, before, context.budgetShare);
    if (given.port !== undefined && runs) {
      throw new AppError('USAGE', `${name} runs; it can be moved to another port only when it is stopped`, {
        hint: `./manage.ts stop ${name} && ./manage.ts start ${name} --port ${given.port}`,
      });
    }
    if (context.dryRun) {
      return {
        data: { name, port: before.port },
        text: [{ line: `would start ${name} on port ${given.port ?? before.port}` }],
      };
    }
    if (before.overcommit !== found.overcommit) allowOvercommit(context, before);
    const meant = meanToRun(context.places, before, true);
    const installation = await installationOf(context, meant);
    const record = given.port === undefined ? meant : await movePort(context, meant, wishOf(given));
    if (given.port === undefined) context.leases.renew(record.port, leaseHolderOf(context.places, record));
    const timeoutMs = context.timeoutMs ?? defaultTimeoutMs;
    await startInstance(context.task, installation, paths, record, { archiveFolder, timeoutMs });
    warnOfOther(context, name);
    await startCompanions(context, record);
    return summaryOutcome(context, name);
  },
});

/** The server is needed more than its backups are. */
function warnOfOther({ places, task }: Context, name: InstanceName): void {
  const other = otherMachine(places, name);
  if (other === undefined) return;
  task.warn(`${name} runs, and is backed up by the machine ${other.host} since ${other.since}: one of the two must go`);
}

/** What is not ours to read may be all there is to see of the instance: so it is said before anything of it is read. */
function wouldRepair(name: string, problem: string | undefined): Outcome {
  const why = problem === undefined ? '' : `: ${problem}`;
  return { data: { name }, text: [{ line: `would repair owner and mode of the data of ${name}, and start it${why}` }] };
}

/** The record says it first: the lease follows it. */
function allowOvercommit({ places, leases }: Context, record: InstanceRecord): void {
  writeRecord(places, record);
  leases.revise(record.port, leaseHolderOf(places, record));
}

function wishOf(given: Values<typeof options>): Port | PortRange {
  if (given.port !== 'auto') return parsePort(given.port ?? '');
  return given['port-range'] === undefined ? defaultRange : parseRange(given['port-range']);
}

/** The new port is held before the record names it, and the old one until it does; configuration follows at the start. */
async function movePort(context: Context, record: InstanceRecord, wish: Port | PortRange): Promise<InstanceRecord> {
  const { leases, journal, places } = context;
  if (wish === record.port) return record;
  const port = await context.withHostLock(
    async () =>
      await leases.take(leaseHolderOf(places, record), wish, (candidate) => {
        journal.intend({ kind: 'lease', port: candidate, instanceId: record.id });
      }),
  );
  const moved = { ...record, port };
  // Whatever dies from here on: the port that the record does not name is the one to be given back.
  journal.settle({ kind: 'moved-port', instance: record.name, ports: [record.port, port] });
  writeRecord(places, moved);
  leases.release(record.port, record.id);
  return moved;
}

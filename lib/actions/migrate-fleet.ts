import { AppError, toAppError } from '../errors.ts';
import type { InstanceName } from '../instances/names.ts';
import { migrationStatus } from '../migrations/apply.ts';
import { readMigrationFolder } from '../migrations/files.ts';
import { columnsOf, firstToMigrate, type FleetMember, type FleetPlan, planFleet } from '../migrations/fleet.ts';
import { planWaves, type Rollout } from '../rollout.ts';
import type { Context, Text, Values } from './action.ts';
import { migrationConnection, migrationFolder, type migrationOptions } from './migration-target.ts';

export const fleetOptions = {
  canary: {
    type: 'string',
    describe: 'of several: which to do first, alone (default: the first with pending files)',
  },
  'on-failure': {
    type: 'string',
    choices: ['stop', 'continue'],
    describe: 'of several: whether the waves after a failure are begun (default stop)',
  },
} as const;

type Given = Values<typeof migrationOptions & typeof fleetOptions> & { to: string | undefined };

/**
 * What is pending where, and in which order it will be applied.
 * @throws MIGRATIONS_NOT_FOUND, MIGRATION_AMBIGUOUS for the folder; USAGE for a canary that is not selected
 */
export async function migrateRollout(context: Context, names: readonly InstanceName[], given: Given): Promise<Rollout> {
  const folder = migrationFolder(context, given);
  readMigrationFolder(folder); // what is wrong with the folder is wrong for all
  const members = await Promise.all(names.map(async (name) => await look(context, name, folder, given)));
  const plan = planFleet(members, given.to);
  const canary = chooseCanary(plan, names, given.canary);
  const stopOnFailure = given['on-failure'] !== 'continue';
  const waves = planWaves(names, canary, context.jobs);
  const data = { canary, onFailure: stopOnFailure ? 'stop' : 'continue', waves, ...plan };
  return { canary, stopOnFailure, plan: { data, text: page(plan, canary, waves, stopOnFailure) } };
}

async function look(context: Context, instance: InstanceName, folder: string, given: Given): Promise<FleetMember> {
  try {
    const connection = migrationConnection(context, instance, given.database);
    return { instance, migrations: (await migrationStatus(context.task, connection, { folder })).migrations };
  } catch (error) {
    context.task.signal.throwIfAborted();
    return { instance, problem: toAppError(error).message };
  }
}

function chooseCanary(plan: FleetPlan, names: readonly InstanceName[], wanted: string | undefined): InstanceName {
  const named = wanted ?? firstToMigrate(plan);
  const canary = names.find((name) => name.toLowerCase() === named?.toLowerCase());
  if (canary !== undefined) return canary;
  throw new AppError('USAGE', `--canary ${wanted} is none of the selected instances`, {
    hint: `it is one of: ${names.join(', ')}`,
  });
}

function page(plan: FleetPlan, canary: InstanceName, waves: InstanceName[][], stopOnFailure: boolean): Text[] {
  const columns = columnsOf(plan);
  const rows = plan.rows.map(({ instance, states, pending, problem }) => [
    instance,
    ...columns.map(({ index }) => states[index] ?? '-'),
    [problem ?? (pending === 0 ? 'nothing' : String(pending)), ...(instance === canary ? ['(canary)'] : [])].join(' '),
  ]);
  const [, ...later] = waves;
  const others = plan.rows.length - 1;
  const widest = Math.max(...later.map((wave) => wave.length));
  const then = `the other ${others}, ${widest === 1 ? 'one after the other' : `${widest} at once`}`;
  const failing = stopOnFailure ? 'after a failure no further wave begins' : 'a failure holds nothing up';
  return [
    { head: ['instance', ...columns.map(({ title }) => title), 'to apply'], rows },
    { line: `${canary} first, then ${then}; ${failing}` },
  ];
}

import { AppError } from '../errors.ts';
import type { InstanceName } from '../instances/names.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { observe } from '../instances/state.ts';
import { removePooler, setPooler } from '../pooler/change.ts';
import type { PoolerPlan } from '../pooler/plan.ts';
import { planFor } from '../pooler/pooler.ts';
import { type PoolMode, poolModes } from '../pooler/program.ts';
import { defaultRange, parsePort, parseRange } from '../ports/leases.ts';
import { type Context, instanceAction, type Outcome, type Text, type Values } from './action.ts';
import { openInstance } from './shared.ts';

const options = {
  off: { type: 'boolean', describe: 'take the pooler away' },
  'pool-mode': {
    type: 'string',
    choices: poolModes,
    describe: 'default by version',
  },
  'pool-size': { type: 'number', describe: 'server connections for the clients of a database (default: what is left)' },
  port: { type: 'string', alias: 'p', describe: 'this very port; auto for another free one' },
  'port-range': { type: 'string', describe: 'where to look for a free port (default 5433-5499)' },
} as const;

type Given = Values<typeof options>;

export const pooler = instanceAction({
  name: 'pooler',
  summary: 'a connection pooler in front of an instance',
  details:
    'Runs PgBouncer as a process of this instance alone, on a port of its own, so that many clients share few connections. Its pools never take more than max_connections leaves beside reserved slots and direct connections. Pool mode transaction is the default from PgBouncer 1.21 on, which carries prepared statements between connections; before that it is session. The pooler starts and stops with the instance; migrations, backups and status go direct. Clients log in with the same roles and passwords. Given again, it takes in new databases and limits.',
  examples: [
    ['./manage.ts --action pooler --instance client-a', 'give it one; then: connect client-a --via pooler'],
    ['./manage.ts pooler client-a --pool-mode session --pool-size 20', 'change it'],
    ['./manage.ts pooler client-a --off', 'take it away'],
  ],
  options,
  target: 'existing',
  lock: 'exclusive',
  changes: true,
  check: (given) => void read(given),
  async run(context, name, given) {
    const { record, paths } = openInstance(context, name);
    if (given.off === true) return await takeAway(context, record);
    const { state } = observe(paths, record);
    if (state !== 'running') {
      throw new AppError('INSTANCE_NOT_RUNNING', `instance ${name} is ${state}: its limits cannot be asked`, {
        hint: `start it with: ./manage.ts --action start --instance ${name}`,
      });
    }
    const { wanted, range, ...wishes } = read(given);
    if (context.dryRun) return planned(name, (await planFor(context, record, { ...record.pooler, ...wishes })).plan);
    const { record: after, plan } = await setPooler(context, record, wanted ?? record.pooler?.port ?? range, wishes);
    return outcome(after, plan);
  },
});

function read(given: Given) {
  const { off, ...others } = given;
  if (off === true && Object.values(others).some((value) => value !== undefined)) {
    throw new AppError('USAGE', '--off takes the pooler away; no other option goes with it', { hint: 'leave one out' });
  }
  const poolSize = given['pool-size'];
  if (poolSize !== undefined && !(Number.isInteger(poolSize) && poolSize >= 1)) {
    throw new AppError('USAGE', `--pool-size: ${poolSize} is no number of connections`, {
      hint: 'a whole number from 1 on',
    });
  }
  const range = given['port-range'] === undefined ? defaultRange : parseRange(given['port-range']);
  const port = given.port === undefined || given.port === 'auto' ? undefined : parsePort(given.port);
  const mode = given['pool-mode'] as PoolMode | undefined;
  return {
    wanted: given.port === 'auto' ? range : port,
    range,
    ...(mode === undefined ? {} : { mode }),
    ...(poolSize === undefined ? {} : { poolSize }),
  };
}

async function takeAway(context: Context, record: InstanceRecord): Promise<Outcome> {
  const { name } = record;
  if (context.dryRun) return { data: { name }, text: [{ line: `would take the pooler of ${name} away` }] };
  await removePooler(context, record);
  return { data: { name, pooler: null }, text: [{ line: `${name} has no pooler` }] };
}

function outcome({ name, pooler: made }: InstanceRecord, plan: PoolerPlan | undefined): Outcome {
  const port = made?.port ?? null;
  const line = `the pooler of ${name} answers on port ${port}: clients connect with ./manage.ts connect ${name} --via pooler`;
  return { data: { name, pooler: { port, ...plan } }, text: [{ line }, ...describe(plan)] };
}

function planned(name: InstanceName, plan: PoolerPlan): Outcome {
  return {
    data: { name, pooler: { port: null, ...plan } },
    text: [{ line: `would put a pooler in front of ${name}:` }, ...describe(plan)],
  };
}

function describe(plan: PoolerPlan | undefined): Text[] {
  if (plan === undefined) return [];
  const { mode, modeReason, pools, serverConnections, directConnections, maxClients } = plan;
  return [
    {
      fields: [
        ['pool mode', `${mode}: ${modeReason}`],
        ['server connections', `at most ${serverConnections}; ${directConnections} stay for direct use`],
        ['clients', `at most ${maxClients}`],
      ],
    },
    {
      head: ['database', 'for clients', 'in all'],
      rows: pools.map(({ database, poolSize, limit }) => [database, String(poolSize), String(limit)]),
    },
  ];
}

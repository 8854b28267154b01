import { randomUUID } from 'node:crypto';
import { prepareArchive } from '../backups/repository.ts';
import { sqlName } from '../databases/names.ts';
import { assertNameFree, createInstance, type CreateWishes, planFor } from '../instances/create.ts';
import type { InstanceName } from '../instances/names.ts';
import { givePooler } from '../pooler/change.ts';
import { findPgbouncer } from '../pooler/program.ts';
import { defaultRange, parsePort, parseRange } from '../ports/leases.ts';
import { chooseInstallation } from '../postgres/installations.ts';
import { receivewalProgram } from '../postgres/receivewal.ts';
import { startReceiver } from '../receiver/receiver.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { loadTemplate } from '../tuning/templates.ts';
import { type Common, type Context, instanceAction, type Values } from './action.ts';
import { contentOptions, fill, type Filled, readContents, tellFilled } from './contents.ts';
import { defaultTimeoutMs, hadFinished, ownPrograms, summaryOutcome } from './shared.ts';
import { archiveOption, checkTuning, readTuning, templatePath, tuningOptions, wayOf } from './tuning-wishes.ts';

const options = {
  template: {
    type: 'string',
    alias: 't',
    describe: 'what it is for: development (default), production, testing … or a file',
  },
  port: { type: 'string', alias: 'p', describe: 'this very port; the first free one of the range when absent' },
  'port-range': { type: 'string', describe: 'where to look for a free port (default 5433-5499)' },
  ...tuningOptions,
  database: { type: 'string', alias: 'd', describe: 'name of its database (default: the instance, - as _)' },
  username: { type: 'string', alias: 'u', describe: 'name of its role (default: the instance, - as _)' },
  networks: { type: 'string', describe: 'Docker networks: there are none here', hidden: true },
  'gui-port': { type: 'string', describe: 'the web GUI: there is none here', hidden: true },
  pooler: { type: 'boolean', describe: 'with a connection pooler (PgBouncer) of its own' },
  ...archiveOption,
  locale: { type: 'string', describe: 'locale of the databases (default C.UTF-8)' },
  ...contentOptions,
} as const;

type Given = Values<typeof options>;

export const create = instanceAction({
  name: 'create',
  summary: 'make a new instance and start it',
  details:
    'Leases a port, plans its memory beside the other instances of this host, makes the data directory with checksums, starts the server, makes the role and the database, and archives WAL from the first moment; then applies migrations and seeds, if it is told which. When any of that fails or is interrupted, nothing is left.',
  examples: [
    ['./manage.ts --action create --instance client-a', 'a development instance on the first free port'],
    ['./manage.ts --action create --instance shop --template ecommerce --port 5440', 'on a port of your choice'],
    ['./manage.ts create client-b --memory 2GB --set work_mem=32MB', 'with wishes about memory'],
    ['./manage.ts create client-c -m ./migrations --seed-path ./seeds', 'with its schema and data, or not at all'],
  ],
  options,
  target: 'new',
  lock: 'exclusive',
  changes: true,
  check: (given, common) => void readGiven(common, given),
  async run(context, name, given) {
    for (const option of ['networks', 'gui-port'] as const) {
      if (given[option] !== undefined) context.task.warn(`--${option} does nothing here: ${options[option].describe}`);
    }
    const wishes = await readWishes(context, name, given);
    if (hadFinished(context, 'create')) return summaryOutcome(context, name);
    assertNameFree(context, name);
    // Missed now, not when everything else is made.
    if (given.pooler) await findPgbouncer(context.task.signal);
    if (wishes.archive === 'streaming') receivewalProgram(wishes.installation);
    if (context.dryRun) return planned(context, name, wishes);
    if (!wishes.template.durable) {
      context.task.warn(`template ${wishes.template.name} gives up durability: a crash may lose the data`);
    }
    let filled: Filled | undefined;
    await createInstance(context, {
      ...wishes,
      prepareArchive: () => prepareArchive(context, name, wishes.id),
      fill: async (record) => void (filled = await fill(context, record, wishes.contents)),
      complete: async (record) => {
        await startReceiver(context, record);
        return given.pooler ? (await givePooler(context, record, wishes.range, {})).record : record;
      },
    });
    const { data, text } = summaryOutcome(context, name);
    const connect = { line: `connect with: psql "$(./manage.ts connect ${name} --format url)"` };
    const next = context.several ? [] : [connect];
    return { data: { ...data, ...filled }, text: [...text, ...(filled ? tellFilled(filled) : []), ...next] };
  },
});

/** What was wished for, as far as it can be read without looking at the machine. */
function readGiven(common: Common, given: Given) {
  const { callerFolder, timeoutMs, budgetShare } = common;
  return {
    template: loadTemplate(templatePath(callerFolder, given.template ?? 'development')),
    tuning: readTuning(given),
    budgetShare,
    overcommit: given.overcommit === true,
    port: given.port === undefined || given.port === 'auto' ? undefined : parsePort(given.port),
    range: given['port-range'] === undefined ? defaultRange : parseRange(given['port-range']),
    role: given.username === undefined ? undefined : sqlName('username', given.username),
    database: given.database === undefined ? undefined : sqlName('database', given.database),
    locale: given.locale,
    archive: wayOf(given.archive),
    timeoutMs: timeoutMs ?? defaultTimeoutMs,
    contents: readContents(common, given),
  };
}

async function readWishes(context: Context, name: InstanceName, given: Given) {
  const { bindir, pgVersion: major, task } = context;
  const installation = await chooseInstallation({ bindir, major }, ownPrograms(context), task.signal);
  const read = readGiven(context, given);
  const checked = await checkTuning(context, installation, read.template, read.tuning);
  return { id: randomUUID(), name, installation, ...read, ...checked };
}

function planned(
  context: Context,
  name: InstanceName,
  wishes: Omit<CreateWishes, 'prepareArchive' | 'fill' | 'complete'>,
) {
  const plan = planFor(context, wishes);
  for (const warning of plan.warnings) context.task.warn(warning);
  const { installation, template, range } = wishes;
  return {
    data: { name, template: template.name, version: installation.major, port: wishes.port ?? null, plan: { ...plan } },
    text: [
      {
        line: `would create ${name}: PostgreSQL ${installation.major}, template ${template.name}, ${wishes.port ? `port ${wishes.port}` : `the first free port of ${range.first}-${range.last}`}`,
      },
      {
        head: ['setting', 'value', 'why'],
        rows: plan.settings.map(({ name: setting, value, reason }) => [setting, value, reason]),
      },
      {
        line: `it would commit ${humanBytes(plan.committedBytes)} and under stress take ${humanBytes(plan.stressBytes)}; the other instances commit ${humanBytes(plan.othersBytes)} of a budget of ${humanBytes(plan.budgetBytes)}`,
      },
    ],
  };
}

import { AppError } from '../errors.ts';
import { reloadAndCheck, type Reloaded } from '../instances/reload.ts';
import { type Configured, readConfigured, withoutOwn } from '../instances/own-settings.ts';
import type { InstancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { planTuning, type Tuned, writeTuning } from '../instances/tune.ts';
import { asSuperuser } from '../instances/connection.ts';
import { Leases } from '../ports/leases.ts';
import { describeSettings, type Takes, takesOf } from '../postgres/configuration.ts';
import type { Installation } from '../postgres/installations.ts';
import { receivewalProgram } from '../postgres/receivewal.ts';
import { livePostmaster } from '../postgres/postmaster.ts';
import { withClient } from '../postgres/sql.ts';
import { matchReceiver } from '../receiver/receiver.ts';
import { compareSettings, type SettingChange } from '../tuning/changes.ts';
import type { Plan, Wishes } from '../tuning/plan.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { loadTemplate, type Template } from '../tuning/templates.ts';
import { type Context, instanceAction, type Outcome, type Text, type Values } from './action.ts';
import { installationOf, openInstance } from './shared.ts';
import { archiveOption, checkTuning, readTuning, templatePath, tuningOptions, wayOf } from './tuning-wishes.ts';

const options = {
  template: { type: 'string', alias: 't', describe: 'another template, or a file (default: the one it has)' },
  ...tuningOptions,
  ...archiveOption,
  'replace-own': {
    type: 'boolean',
    describe: 'what --set names wins over your own lines, too: these become comments',
  },
  apply: { type: 'boolean', describe: 'write it and reload; without this, it is only shown' },
} as const;

type Given = Values<typeof options>;

export const tune = instanceAction({
  name: 'tune',
  summary: 'plan memory and settings anew, and say why',
  details:
    'Shows each setting as it is, as it would be, and why, and whether the change takes a reload or a restart. With --apply it is written and reloaded, and the server is asked what still waits for a restart. Wishes of earlier times stay unless they are wished otherwise; --set NAME=default forgets one. Your own lines in postgresql.conf win over the plan and are counted with.',
  examples: [
    [
      './manage.ts --action tune --instance client-a',
      'what would be planned today, beside the instances there are now',
    ],
    ['./manage.ts tune client-a --memory 2GB --apply', 'give it more memory'],
    [
      './manage.ts tune client-a --archive streaming --apply',
      'have a loss of the disk cost less than a second of work',
    ],
    ['./manage.ts tune shop --template saas --max-connections 120 --apply', 'for another use, with more connections'],
  ],
  options,
  target: 'existing',
  lock: 'exclusive',
  changes: ({ apply }) => apply === true,
  check(given, { callerFolder }) {
    readTuning(given);
    if (given.template !== undefined) loadTemplate(templatePath(callerFolder, given.template));
  },
  async run(context, name, given) {
    const { record, paths } = openInstance(context, name);
    const installation = await installationOf(context, record);
    const template = templateOf(context, record, given);
    const wished = readTuning(given);
    const tuning = mergeWishes(record.wishes, wished, given.memory === 'default');
    const replaced = given['replace-own'] === true ? Object.keys(wished.settings ?? {}) : [];
    const { vouched, checking } = await checkTuning(context, installation, template, tuning);
    await checking;
    const { budgetShare } = context;
    const overcommit = given.overcommit === true || record.overcommit === true;
    const archive = given.archive === undefined ? record.archive : wayOf(given.archive);
    if (archive === 'streaming') receivewalProgram(installation);
    const wishes = { template, installation, tuning, archive, budgetShare, overcommit, vouched };
    const configured = withoutOwn(readConfigured(paths.data), replaced);
    const tuned: Tuned = { record, paths, configured, replaced };
    const takes = await takesIn(context, installation, paths, record);
    if (given.apply !== true || context.dryRun) {
      const plan = planTuning({ places: context.places, leases: new Leases(context.places.host) }, tuned, wishes);
      return outcome(context, tuned, plan, compare(plan, tuned.configured, takes));
    }
    const written = await writeTuning(context, tuned, wishes);
    const changes = compare(written.plan, tuned.configured, takes);
    const runs = livePostmaster(paths.data) !== undefined;
    const reloaded = runs
      ? await reloadAndCheck(context.task, paths, written.record, written.plan.settings)
      : undefined;
    if (archive !== record.archive) await matchReceiver(context, name);
    return outcome(context, tuned, written.plan, changes, { reloaded });
  },
});

function templateOf({ callerFolder }: Context, record: InstanceRecord, given: Given): Template {
  if (given.template !== undefined) return loadTemplate(templatePath(callerFolder, given.template));
  try {
    return loadTemplate(record.templateFile ?? record.template);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const hint = `name another: ./manage.ts tune ${record.name} --template production`;
    throw new AppError('BAD_TEMPLATE', `the template of ${record.name}: ${error.message}`, { hint, cause: error });
  }
}

/** New wishes win over those of earlier times, and `default` takes one back. */
function mergeWishes(
  { maxConnections, memoryBytes, settings }: InstanceRecord['wishes'],
  wished: Wishes,
  forgetMemory: boolean,
): Wishes {
  const { max_connections: earlier, ...others } = settings ?? {};
  const connectionsWished = wished.maxConnections !== undefined || wished.settings?.['max_connections'] !== undefined;
  const kept = connectionsWished || earlier === undefined ? others : { ...others, max_connections: earlier };
  const merged = Object.entries({ ...kept, ...wished.settings }).filter(([, value]) => value !== 'default');
  return {
    ...(connectionsWished || maxConnections === undefined ? {} : { maxConnections }),
    ...(memoryBytes === undefined || forgetMemory ? {} : { memoryBytes }),
    ...(wished.maxConnections === undefined ? {} : { maxConnections: wished.maxConnections }),
    ...(wished.memoryBytes === undefined ? {} : { memoryBytes: wished.memoryBytes }),
    ...(merged.length === 0 ? {} : { settings: Object.fromEntries(merged) }),
  };
}

/** A running server also knows the settings of the libraries it has loaded. */
async function takesIn(
  { task: { signal } }: Context,
  installation: Installation,
  paths: InstancePaths,
  record: InstanceRecord,
): Promise<Map<string, Takes>> {
  if (livePostmaster(paths.data)?.status !== 'ready') return await describeSettings(installation, signal);
  return await withClient({ ...asSuperuser(paths, record), signal, timeoutMs: 10_000 }, async (client) => {
    const { rows } = await client.query<{ name: string; context: string }>('select name, context from pg_settings');
    return new Map(rows.map(({ name, context }) => [name.toLowerCase(), takesOf(context)]));
  });
}

function compare(plan: Plan, { values, planned }: Configured, takes: Map<string, Takes>): SettingChange[] {
  return compareSettings(plan, values, planned, takes);
}

/** @param done what came of it, where it was applied; the server's word where it runs */
function outcome(
  { task }: Context,
  { record, configured }: Tuned,
  plan: Plan,
  changes: SettingChange[],
  done?: { reloaded: Reloaded | undefined },
): Outcome {
  for (const warning of plan.warnings) task.warn(warning);
  for (const { name, place } of overridden(plan, configured))
    task.warn(`${name} stays as it is: your own line wins (${place})`);
  const { name } = record;
  const { committedBytes, stressBytes, budgetBytes, othersBytes } = plan;
  const pending = done?.reloaded?.pending ?? [];
  const data = { name, applied: done !== undefined, changes, pendingRestart: pending, plan: { ...plan } };
  const memory =
    `memory: ${humanBytes(committedBytes)} committed (was ${humanBytes(record.committedBytes)}), ${humanBytes(stressBytes)} under stress; ` +
    `the others commit ${humanBytes(othersBytes)} of a budget of ${humanBytes(budgetBytes)}`;
  return {
    data,
    text: [
      {
        head: ['setting', 'old → new', 'why'],
        rows: changes.map((change) => [change.name, valueOf(change), whyOf(change)]),
      },
      { line: memory },
      ...(done === undefined ? [{ line: wouldLine(name, changes) }] : doneLines(name, changes, done.reloaded)),
    ],
  };
}

function valueOf({ before, after, takes }: SettingChange): string {
  return takes === null ? (after ?? '-') : `${before ?? '-'} → ${after ?? '-'}`;
}

/** What a change takes stands first: that is what people look for. */
function whyOf({ takes, reason }: SettingChange): string {
  return takes === null ? reason : `${takes}: ${reason}`;
}

function overridden({ settings }: Plan, { own }: Configured): { name: string; place: string }[] {
  return settings.flatMap(({ name, ownPlace }) =>
    ownPlace === undefined || !(name in own) ? [] : [{ name, place: ownPlace }],
  );
}

function wouldLine(name: string, changes: SettingChange[]): string {
  const count = changes.filter(({ takes }) => takes !== null).length;
  if (count === 0) return `${name} is configured like this already`;
  const restarts = changes.filter(({ takes }) => takes === 'restart').length;
  return `nothing was changed: ${count} would be (${restarts} of them at the next restart); repeat with --apply to do it`;
}

function doneLines(name: string, changes: SettingChange[], reloaded: Reloaded | undefined): Text[] {
  const changed = changes.filter(({ takes }) => takes !== null);
  const said = `${name} is tuned: ${changed.length} ${changed.length === 1 ? 'setting' : 'settings'} changed`;
  if (reloaded === undefined) return [{ line: `${said}; they come into force when it is started` }];
  const { pending, astray, complaints } = reloaded;
  return [
    { line: said },
    ...(pending.length === 0
      ? []
      : [{ line: `waiting for a restart: ${pending.join(', ')}; do it with: ./manage.ts restart ${name}` }]),
    ...astray.map(({ name: setting, wanted, inForce }) => ({ line: `${setting} is ${inForce}, not ${wanted}` })),
    ...complaints.map((line) => ({ line: `the server says: ${line}` })),
  ];
}

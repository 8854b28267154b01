import type { DeclaredInstance, DeclaredSchedule, Fleet } from '../fleet/declared.ts';
import { observeInstance, type ObservedInstance, type Pending, pendingIn } from '../fleet/observe.ts';
import type { Compared, ScheduleSituation, Situation } from '../fleet/situation.ts';
import { toAppError } from '../errors.ts';
import { claimsOf } from '../instances/memory.ts';
import { defaultDatabase, type InstanceName, sameName } from '../instances/names.ts';
import { instancePaths } from '../instances/places.ts';
import { existingName, instanceNames, readRecord } from '../instances/record.ts';
import { readMigrationFolder } from '../migrations/files.ts';
import { readSeeds } from '../migrations/seeds.ts';
import { Leases } from '../ports/leases.ts';
import { chooseInstallation } from '../postgres/installations.ts';
import { autostartInstalled } from '../schedule/autostart.ts';
import { faultsOf, observeSchedule } from '../schedule/compose.ts';
import { parseTimes } from '../schedule/cron.ts';
import { chooseScheduler } from '../schedule/system.ts';
import { readHostFacts } from '../tuning/host.ts';
import { loadTemplate } from '../tuning/templates.ts';
import { unfinishedOf } from '../recovery.ts';
import type { HostContext } from './action.ts';
import { composeSchedule } from './schedule.ts';
import { ownPrograms } from './shared.ts';

interface Looked {
  fleet: Fleet;
  selector: string;
  prune: boolean;
}

/** Looks at all that the names mean, in the file and on this host. Changes nothing. */
export async function lookAtFleet(
  context: HostContext,
  { fleet, selector, prune }: Looked,
  names: readonly InstanceName[],
): Promise<Situation> {
  const { places, task, budgetShare } = context;
  const declared = fleet.instances.filter(({ name }) => names.some((other) => sameName(other, name)));
  const compared = await Promise.all(declared.map(async (one) => await lookAt(context, one)));
  const others = instanceNames(places).filter(
    (name) => names.includes(name) && !fleet.instances.some((one) => sameName(one.name, name)),
  );
  const whole = selector === 'all';
  const installed = whole ? await autostartInstalled(places, task.signal) : undefined;
  return {
    compared,
    others,
    schedule: whole ? await lookAtSchedule(context, fleet.schedule) : undefined,
    autostart: installed && {
      declared: fleet.autostart,
      isThere: installed.crontab.length + installed.units.length > 0,
    },
    host: {
      facts: readHostFacts(),
      budgetShare,
      claims: claimsOf(places, new Leases(places.host)),
      root: places.root,
    },
    prune,
  };
}

async function lookAt(context: HostContext, declared: DeclaredInstance): Promise<Compared> {
  const { places, task, bindir, pgVersion } = context;
  const name = existingName(places, declared.name) ?? declared.name;
  const template = loadTemplate(declared.template);
  // What a killed create has left is nothing.
  const wreck = readRecord(places, name) === undefined && unfinishedOf(places, name).length > 0;
  const isThere = existingName(places, name) !== undefined && !wreck;
  const observed = isThere ? await about(name, async () => await observeInstance(places, name, task)) : undefined;
  const wanted = { bindir, major: declared.major ?? pgVersion };
  const major =
    observed === undefined
      ? (await chooseInstallation(wanted, ownPrograms(context), task.signal)).major
      : (declared.major ?? observed.record.version);
  const pending = await about(name, async () => await pendingOf(context, declared, observed));
  return { declared: { ...declared, name }, observed, template, major, pending };
}

/** What the folders hold and the databases have not had; of databases that are not there yet, and cannot be asked, all of it. */
async function pendingOf(
  { places, task, toolVersion }: HostContext,
  declared: DeclaredInstance,
  observed: ObservedInstance | undefined,
): Promise<Map<string, Pending>> {
  const own = observed?.record.database ?? declared.database ?? defaultDatabase(declared.name);
  const others = declared.databases === 'any' ? [] : declared.databases;
  const pending = new Map<string, Pending>();
  for (const { name: database, contents } of [{ name: own, contents: declared.contents }, ...others]) {
    const { migrations, seeds } = contents;
    if (migrations === undefined && seeds === undefined) continue;
    const folder = migrations === undefined ? undefined : readMigrationFolder(migrations);
    const all = {
      migrations: [...(folder?.forward ?? []), ...(folder?.repeatable ?? [])].map(({ file }) => file),
      seeds: seeds === undefined ? [] : readSeeds(seeds).repeatable.map(({ file }) => file),
    };
    const isThere = observed?.server?.privileges.has(database) === true;
    const paths = instancePaths(places, declared.name);
    pending.set(
      database,
      isThere && observed !== undefined
        ? await pendingIn({ task, toolVersion }, paths, observed.record, { database, contents })
        : all,
    );
  }
  return pending;
}

async function lookAtSchedule(context: HostContext, declared: Fleet['schedule']): Promise<ScheduleSituation> {
  const observed = await observeSchedule(context.places, context.task.signal);
  if (declared === undefined || declared === 'any') return { declared, observed, faults: [] };
  const scheduler = chooseScheduler(declared.scheduler ?? observed.stored?.scheduler);
  const ping = declared.ping ?? observed.stored?.ping;
  const composed = composeSchedule(context, { ...wishOf(declared), ping }, scheduler);
  return { declared, observed, faults: faultsOf(composed, observed) };
}

function wishOf({ selector, backup, prove, keep, retentionDays, jitterSeconds }: DeclaredSchedule) {
  const times = (text: string | undefined) => (text === undefined ? undefined : parseTimes(text));
  return { selector, backup: times(backup), prove: times(prove), keep, retentionDays, jitterSeconds };
}

/** An error about one of many says of which. */
async function about<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = toAppError(error);
    if (known.code === 'INTERNAL' || known.message.includes(name)) throw error;
    throw known.with({ instance: name }, `${name}: ${known.message}`);
  }
}

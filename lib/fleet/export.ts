import { stringify } from 'yaml';
import { privilegeWords } from '../databases/privileges.ts';
import { defaultDatabase, type InstanceName } from '../instances/names.ts';
import type { StoredWish } from '../schedule/compose.ts';
import { checkWish } from '../tuning/guards.ts';
import { settingVersions } from '../tuning/names.ts';
import { formatSize } from '../tuning/sizes.ts';
import type { Template } from '../tuning/templates.ts';
import { any } from './declared.ts';
import type { ObservedInstance, ObservedServer } from './observe.ts';

/** What is, in the form of a fleet file. */
export type FleetObject = Record<string, unknown>;

/**
 * The file that says of instances what they are. Pure. What cannot be seen of one that does not run is `any` there, so that
 * nothing of it is ever pruned.
 * @param warn told what the file cannot say
 */
export function fleetOf(
  instances: readonly { observed: ObservedInstance; template: Template }[],
  { schedule, autostart }: { schedule: StoredWish | undefined; autostart: boolean },
  warn: (message: string) => void,
): FleetObject {
  const entries = instances.map((one): [InstanceName, object] => [one.observed.record.name, instanceOf(one, warn)]);
  if (schedule?.ping !== undefined)
    warn('the schedule tells a service, whose address is no matter for a file: it stays');
  return {
    instances: Object.fromEntries(entries),
    ...(schedule === undefined ? {} : { schedule: scheduleOf(schedule) }),
    ...(autostart ? { autostart } : {}),
  };
}

/** Its text. Every value is read back as it was written: see `readYaml`. */
export function fleetYaml(fleet: FleetObject, head: readonly string[]): string {
  return `${head.map((line) => `# ${line}\n`).join('')}${stringify(fleet, { lineWidth: 0 })}`;
}

function instanceOf(
  { observed, template }: { observed: ObservedInstance; template: Template },
  warn: (message: string) => void,
): object {
  const { record, server } = observed;
  const { wishes, name, pooler } = record;
  const set = settingsOf(observed, template, warn);
  const usual = defaultDatabase(name);
  const locale = server?.databases.find((one) => one.name === record.database)?.locale;
  if (server === undefined) warn(`${name} does not run: its databases and users are not in the file`);
  return present({
    state: server === undefined ? 'stopped' : undefined,
    template: record.templateFile ?? record.template,
    'pg-version': record.version,
    port: record.port,
    memory: wishes.memoryBytes && formatSize(wishes.memoryBytes),
    'max-connections': wishes.maxConnections,
    overcommit: record.overcommit,
    archive: record.archive,
    set: Object.keys(set).length === 0 ? undefined : set,
    username: record.role === usual ? undefined : record.role,
    database: record.database === usual ? undefined : record.database,
    locale: locale === undefined || /^C(\.utf-?8)?$/i.test(locale) ? undefined : locale,
    pooler: pooler && present({ mode: pooler.mode, size: pooler.poolSize, port: pooler.port }),
    databases: server === undefined ? any : databasesOf(server, record),
    users: server === undefined ? any : usersOf(server, record),
  });
}

/**
 * What was wished for and what stands in the operator's own lines, as it is configured. Of one that was adopted these are its
 * whole configuration, which stays where it is.
 */
function settingsOf(
  { record, configured }: ObservedInstance,
  template: Template,
  warn: (message: string) => void,
): Record<string, string> {
  const own = record.adopted === undefined ? Object.keys(configured.own) : [];
  const names = [...new Set([...Object.keys(record.wishes.settings ?? {}), ...own])];
  return Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const value = configured.values.get(name) ?? record.wishes.settings?.[name] ?? '';
      const isUnknown = !name.includes('.') && settingVersions(name) === undefined;
      try {
        checkWish(name, value, record.version, template.durable, isUnknown);
        return value === '' ? [] : [[name, value]];
      } catch (error) {
        warn(`${record.name}: left out of the file: ${(error as Error).message}`);
        return [];
      }
    }),
  );
}

function databasesOf({ databases }: ObservedServer, record: ObservedInstance['record']): object | undefined {
  const others = databases.filter(({ name }) => name !== record.database);
  const owned = others.map(({ name, owner }) => [name, present({ owner: owner === record.role ? undefined : owner })]);
  return others.length === 0 ? undefined : Object.fromEntries(owned);
}

function usersOf({ roles, privileges }: ObservedServer, record: ObservedInstance['record']): object | undefined {
  const people = roles.filter(({ name, canLogin }) => canLogin && name !== record.role);
  const described = people.map(({ name, memberOf, attributes }) => {
    const words = [...privileges].flatMap(([database, held]): [string, string][] => {
      const { isOwner = false, onDatabase = [], onTables } = held.get(name) ?? {};
      const granted = isOwner ? [] : onDatabase.filter((word) => word !== 'connect' || onTables === undefined);
      const own = database === record.database ? attributes : [];
      const spelt = privilegeWords({ attributes: own, onDatabase: granted, onTables }).join(', ');
      return spelt === '' ? [] : [[database, spelt]];
    });
    const [first] = words;
    const only = words.length === 1 && first?.[0] === record.database ? first[1] : Object.fromEntries(words);
    return [
      name,
      present({
        privileges: words.length === 0 ? undefined : only,
        'member-of': memberOf.length === 0 ? undefined : memberOf,
      }),
    ];
  });
  return people.length === 0 ? undefined : Object.fromEntries(described);
}

function scheduleOf({ scheduler, selector, backup, prove, keep, retentionDays, jitterSeconds }: StoredWish): object {
  return present({
    instances: selector,
    backup,
    prove,
    keep,
    'retention-days': retentionDays,
    jitter: jitterSeconds,
    with: scheduler,
  });
}

/** Without what is undefined. */
function present(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

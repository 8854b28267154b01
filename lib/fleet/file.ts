import { dirname, resolve } from 'node:path';
import { AppError } from '../errors.ts';
import { isMissing } from '../host/files.ts';
import { readCallersFile } from '../host/callers-files.ts';
import { sameName, type InstanceName } from '../instances/names.ts';
import { objectionTo } from '../tuning/guards.ts';
import { type Fault, readYaml, tellFaults } from '../yaml-file.ts';
import {
  any,
  type DeclaredDatabase,
  type DeclaredInstance,
  type DeclaredSchedule,
  type DeclaredUser,
  type Fleet,
} from './declared.ts';
import { advise, fleetShape, type FleetText, type InstanceText, keysAt } from './shape.ts';

/**
 * Reads a fleet file. Paths in it begin where it stands.
 * @param path absolute
 * @throws BAD_FLEET with every fault, its line and its column
 */
export function readFleet(path: string): Fleet {
  return parseFleet(path, textOf(path, 'name the file: --file fleet.yaml; ./manage.ts export writes one'));
}

/** @param path names the file in faults, and is where its paths begin */
export function parseFleet(path: string, text: string): Fleet {
  const read = readYaml(text, fleetShape, { whole: 'the file', keysAt, advise });
  if (read.faults !== undefined) throw badFleet(path, read.faults);
  const { value, placeOf } = read;
  const folder = dirname(path);
  const instances = Object.entries(value.instances).map(([name, own]) =>
    declare(name as InstanceName, withDefaults(value.defaults, own), folder),
  );
  const faults = judge(value, instances).map(({ path: place, text: fault }) => ({ ...placeOf(place), text: fault }));
  if (faults.length > 0) throw badFleet(path, faults);
  return { instances, schedule: scheduleOf(value, folder), autostart: value.autostart };
}

function badFleet(path: string, faults: readonly Fault[]): AppError {
  const told = tellFaults(path, faults);
  const more = told.length > 1 ? ` (and ${told.length - 1} more)` : '';
  return new AppError('BAD_FLEET', `${told[0]}${more}`, {
    hint: 'correct the file; templates/fleet.example.yaml shows what may stand in one',
    ...(told.length > 1 ? { output: told.join('\n') } : {}),
    data: { faults },
  });
}

/** What an instance says wins; settings, databases and users are put together by name. */
function withDefaults(defaults: InstanceText = {}, own: InstanceText): InstanceText {
  const joined = <T>(usual: Record<string, T> | typeof any | undefined, mine: typeof usual) =>
    usual === undefined || mine === any
      ? mine
      : mine === undefined || usual === any
        ? (mine ?? usual)
        : { ...usual, ...mine };
  const set = defaults.set === undefined && own.set === undefined ? {} : { set: { ...defaults.set, ...own.set } };
  const databases = joined(defaults.databases, own.databases);
  const users = joined(defaults.users, own.users);
  return {
    ...defaults,
    ...own,
    ...set,
    ...(databases === undefined ? {} : { databases }),
    ...(users === undefined ? {} : { users }),
  };
}

function declare(name: InstanceName, text: InstanceText, folder: string): DeclaredInstance {
  const contentsOf = (one: Pick<InstanceText, 'migrations-dir' | 'seed-path'>) => ({
    migrations: below(folder, one['migrations-dir']),
    seeds: below(folder, one['seed-path']),
  });
  const databases = Object.entries(text.databases === any ? {} : (text.databases ?? {})).map(
    ([database, one]): DeclaredDatabase => ({ name: database, owner: one.owner, contents: contentsOf(one) }),
  );
  const users = Object.entries(text.users === any ? {} : (text.users ?? {})).map(([user, one]): DeclaredUser => ({
    name: user,
    memberOf: one['member-of'] ?? [],
    privileges: one.privileges ?? [],
  }));
  const { memory, 'max-connections': maxConnections, set, template = 'development' } = text;
  return {
    name,
    state: text.state ?? 'running',
    template: /\/|\.ya?ml$/.test(template) ? resolve(folder, template) : template,
    major: text['pg-version'],
    port: text.port,
    portRange: text['port-range'],
    tuning: {
      ...(memory === undefined ? {} : { memoryBytes: memory }),
      ...(maxConnections === undefined ? {} : { maxConnections }),
      ...(set === undefined || Object.keys(set).length === 0 ? {} : { settings: set }),
    },
    overcommit: text.overcommit ?? false,
    archive: text.archive ?? 'command',
    role: text.username,
    database: text.database,
    locale: text.locale,
    contents: contentsOf(text),
    pooler: text.pooler && { mode: text.pooler.mode, size: text.pooler.size, port: text.pooler.port },
    databases: text.databases === any ? any : databases,
    users: text.users === any ? any : users,
  };
}

function below(folder: string, path: string | undefined): string | undefined {
  return path && resolve(folder, path);
}

interface Judged {
  path: PropertyKey[];
  text: string;
}

/** What no shape can see: things that do not go together. */
function judge({ defaults }: FleetText, instances: readonly DeclaredInstance[]): Judged[] {
  const faults: Judged[] = [];
  const ports = new Map<number, string>();
  for (const [index, instance] of instances.entries()) {
    const { name, tuning, pooler } = instance;
    const path = ['instances', name];
    const twin = instances.slice(0, index).find((other) => sameName(other.name, name));
    if (twin !== undefined) faults.push({ path, text: `${name} and ${twin.name} are one name: case does not count` });
    for (const [key, port] of [
      ['port', instance.port],
      ['pooler', pooler?.port],
    ] as const) {
      const holder = port === undefined ? undefined : ports.get(port);
      if (holder !== undefined) faults.push({ path: [...path, key], text: `port ${port} is ${holder}'s already` });
      if (port !== undefined && holder === undefined) ports.set(port, name);
    }
    for (const [setting, value] of Object.entries(tuning.settings ?? {})) {
      const inDefaults = defaults?.set !== undefined && setting in defaults.set;
      const place = inDefaults ? ['defaults', 'set', setting] : [...path, 'set', setting];
      const objection =
        value === 'default' ? 'leave it out: that is what the default is' : objectionTo(setting, value)?.message;
      if (objection !== undefined) faults.push({ path: place, text: objection });
    }
    faults.push(...judgeContents(instance, path));
  }
  return faults;
}

function judgeContents({ databases, users, database, name }: DeclaredInstance, path: string[]): Judged[] {
  const own = database ?? name.replaceAll('-', '_').toLowerCase();
  const known = databases === any ? undefined : [own, 'postgres', ...databases.map((one) => one.name)];
  const twice = databases !== any && databases.some((one) => [own, 'postgres'].includes(one.name));
  return [
    ...(twice
      ? [{ path: [...path, 'databases'], text: `${own} and postgres are there by themselves: leave them out here` }]
      : []),
    ...(users === any || known === undefined ? [] : users).flatMap((user) =>
      user.privileges.flatMap(({ database: wanted }) =>
        wanted === undefined || known?.includes(wanted)
          ? []
          : [{ path: [...path, 'users', user.name], text: `privileges on ${wanted}, which is no database of ${name}` }],
      ),
    ),
  ];
}

function scheduleOf({ schedule }: FleetText, folder: string): Fleet['schedule'] {
  if (schedule === undefined || schedule === any) return schedule;
  const ping = below(folder, schedule['ping-file']);
  const declared: DeclaredSchedule = {
    selector: schedule.instances,
    backup: schedule.backup,
    prove: schedule.prove,
    keep: schedule.keep,
    retentionDays: schedule['retention-days'],
    jitterSeconds: schedule.jitter ?? 300,
    ping: ping === undefined ? undefined : textOf(ping, 'it is to hold the address of a web service').trim(),
    scheduler: schedule.with,
  };
  return declared;
}

function textOf(path: string, hint: string): string {
  try {
    return readCallersFile(path);
  } catch (error) {
    const why = isMissing(error) ? 'there is no such file' : `it cannot be read: ${(error as Error).message}`;
    throw new AppError('BAD_FLEET', `${path}: ${why}`, { hint, cause: error });
  }
}

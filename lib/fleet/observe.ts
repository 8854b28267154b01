import { AppError } from '../errors.ts';
import {
  type HeldPrivileges,
  surveyDatabases,
  type SurveyedDatabase,
  type SurveyedRole,
  surveyPrivileges,
  surveyRoles,
} from '../databases/survey.ts';
import { asSuperuser } from '../instances/connection.ts';
import type { InstanceName } from '../instances/names.ts';
import { type Configured, readConfigured } from '../instances/own-settings.ts';
import { passwordOf } from '../instances/passwords.ts';
import { type InstancePaths, instancePaths, type Places } from '../instances/places.ts';
import { type InstanceRecord, requireRecord } from '../instances/record.ts';
import { type InstanceState, observe } from '../instances/state.ts';
import { pendingMigrations } from '../migrations/apply.ts';
import { seed } from '../migrations/seeds.ts';
import { livePooler } from '../pooler/process.ts';
import { poolerPaths } from '../pooler/places.ts';
import { type Takes, takesOf } from '../postgres/configuration.ts';
import { type Client, withClient } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import type { EffectiveSetting } from '../tuning/effective.ts';
import type { DeclaredContents } from './declared.ts';

/** An instance as it is. */
export interface ObservedInstance {
  record: InstanceRecord;
  state: InstanceState;
  /** Why the state is what it is, where that is not plain. */
  message: string | undefined;
  configured: Configured;
  poolerRuns: boolean;
  /** What its server says; undefined where it does not run. */
  server: ObservedServer | undefined;
}

export interface ObservedServer {
  settings: ReadonlyMap<string, ObservedSetting>;
  databases: SurveyedDatabase[];
  roles: SurveyedRole[];
  /** By database (those above, and the instance's own whatever it is), then by role. */
  privileges: ReadonlyMap<string, ReadonlyMap<string, HeldPrivileges>>;
}

export interface ObservedSetting extends EffectiveSetting {
  takes: Takes;
  /** Whether another value waits for a restart. */
  isPending: boolean;
}

/** How long a server may take for one answer, in milliseconds. */
const timeoutMs = 30_000;

/**
 * Looks at an instance: its record, its files, its processes and, where it runs, its server. Changes nothing.
 * @throws INSTANCE_BROKEN, DATA_PERMISSIONS; the server's words where it runs and does not answer
 */
export async function observeInstance(places: Places, name: InstanceName, task: Task): Promise<ObservedInstance> {
  const record = requireRecord(places, name);
  const paths = instancePaths(places, name);
  const { state, message } = observe(paths, record);
  if (state === 'broken') {
    throw new AppError('INSTANCE_BROKEN', `instance ${name} is broken: ${message}`, {
      hint: `see what can be done: ./manage.ts diagnose ${name}`,
    });
  }
  return {
    record,
    state,
    message,
    configured: readConfigured(paths.data),
    poolerRuns: livePooler(poolerPaths(places, name)) !== undefined,
    server: state === 'running' && message === undefined ? await observeServer(paths, record, task) : undefined,
  };
}

async function observeServer(paths: InstancePaths, record: InstanceRecord, task: Task): Promise<ObservedServer> {
  const within = async <T>(database: string, work: (client: Client) => Promise<T>): Promise<T> =>
    await withClient({ ...asSuperuser(paths, record, database), signal: task.signal, timeoutMs }, work);
  const server = await within('postgres', async (client) => ({
    settings: await surveySettings(client),
    databases: await surveyDatabases(client),
    roles: await surveyRoles(client),
  }));
  const privileges = new Map<string, ReadonlyMap<string, HeldPrivileges>>();
  const databases = new Set([record.database, ...server.databases.map(({ name }) => name)]);
  for (const name of databases) privileges.set(name, await within(name, surveyPrivileges));
  return { ...server, privileges };
}

async function surveySettings(client: Client): Promise<Map<string, ObservedSetting>> {
  const { rows } = await client.query<EffectiveSetting & { context: string; isPending: boolean }>(
    // A session's own value is not the server's: what counts is what the next session gets.
    `select name, setting, unit, vartype, context, pending_restart as "isPending" from pg_settings
      where source not in ('client', 'session', 'interactive', 'user', 'database', 'database user')`,
  );
  return new Map(
    rows.map(({ context, ...setting }) => [setting.name.toLowerCase(), { ...setting, takes: takesOf(context) }]),
  );
}

/** What files hold that a database has not had yet. */
export interface Pending {
  migrations: string[];
  seeds: string[];
}

/**
 * Which files of a database's folders are not applied yet. Changes nothing.
 * @throws what `migrate` throws before it applies: MIGRATIONS_NOT_FOUND, MIGRATION_CHANGED …
 */
export async function pendingIn(
  { task, toolVersion }: { task: Task; toolVersion: string },
  paths: InstancePaths,
  record: InstanceRecord,
  { database, contents }: { database: string; contents: DeclaredContents },
): Promise<Pending> {
  const { port, role: user } = record;
  const connection = { host: paths.socket, port, user, database, password: passwordOf(paths, record, user) };
  const { migrations: folder, seeds: path } = contents;
  const migrations = folder === undefined ? [] : (await pendingMigrations(task, connection, { folder })).pending;
  const run = { dryRun: true, lockTimeoutMs: 0, toolVersion };
  const seeds = path === undefined ? [] : (await seed(task, connection, path, run)).pending;
  return { migrations: migrations.map(({ file }) => file), seeds: seeds.map(({ file }) => file) };
}

import { poll } from '../host/wait.ts';
import type { Client } from '../postgres/sql.ts';
import { withClient } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { type EffectiveSetting, isInForce } from '../tuning/effective.ts';
import type { PlannedSetting } from '../tuning/plan.ts';
import { asSuperuser } from './connection.ts';
import type { InstancePaths } from './places.ts';
import type { InstanceRecord } from './record.ts';

/** What a running server has made of its configuration. */
export interface Reloaded {
  /** Settings whose new value waits for a restart. */
  pending: string[];
  /** Settings that have another value than the plan says, and wait for nothing. */
  astray: { name: string; wanted: string; inForce: string }[];
  /** What the server says against its files. */
  complaints: string[];
}

/** How long a server may take to read its files again, in milliseconds. */
const patienceMs = 10_000;

/** Has a running server read its files, and asks it afterwards what is in force. */
export async function reloadAndCheck(
  { signal }: Pick<Task, 'signal'>,
  paths: InstancePaths,
  record: InstanceRecord,
  planned: readonly PlannedSetting[],
): Promise<Reloaded> {
  return await withClient({ ...asSuperuser(paths, record), signal, timeoutMs: patienceMs }, async (client) => {
    await reload(client, signal);
    const names = planned.map(({ name }) => name);
    const { rows } = await client.query<EffectiveSetting & { pending_restart: boolean }>(
      'select name, setting, unit, vartype, pending_restart from pg_settings where name = any($1) or pending_restart',
      [names],
    );
    const rowOf = new Map(rows.map((row) => [row.name, row]));
    const astray = planned.flatMap(({ name, value }) => {
      const row = rowOf.get(name);
      return row === undefined || row.pending_restart || isInForce(value, row)
        ? []
        : [{ name, wanted: value, inForce: `${row.setting}${row.unit === null ? '' : ` (${row.unit})`}` }];
    });
    const pending = rows.filter(({ pending_restart }) => pending_restart).map(({ name }) => name);
    return { pending, astray, complaints: await complaintsOf(client) };
  });
}

/** The session has read the files itself when its own load time moves: so has what it is asked about afterwards. */
async function reload(client: Client, signal: AbortSignal): Promise<void> {
  const { rows } = await client.query<{ at: string }>('select pg_conf_load_time()::text as at, pg_reload_conf()');
  const loaded = async (): Promise<true | undefined> => {
    const { rows: now } = await client.query<{ at: string }>('select pg_conf_load_time()::text as at');
    return now[0]?.at === rows[0]?.at ? undefined : true;
  };
  await poll(loaded, { signal, timeoutMs: patienceMs });
}

/** Faults of the files, without those settings that only wait for a restart. */
async function complaintsOf(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ text: string }>(
    `select format('%s, line %s: %s: %s', sourcefile, sourceline, coalesce(name, ''), error) as text
       from pg_file_settings
      where error is not null and sourcefile is not null and error <> 'setting could not be applied'`,
  );
  return rows.map(({ text }) => text);
}

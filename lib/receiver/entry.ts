import { AppError } from '../errors.ts';
import { poll } from '../host/wait.ts';
import { addRule, removeRule } from '../instances/access-rules.ts';
import { receiverRole, writeIdent } from '../instances/configure.ts';
import { asSuperuser } from '../instances/connection.ts';
import type { InstancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { withClient } from '../postgres/sql.ts';
import type { Task } from '../task.ts';

/*
 * How a receiver comes in: as a role that may replicate and nothing else, over the socket, where the operating system vouches
 * for the account that runs both. There is no password to keep. The slot has the role's name and not the instance's, which a
 * slot of the client's own might have.
 */

const receiverRule = {
  comment: '# WAL is received as this role, which has no password (pg-manage).',
  line: `local   replication  ${receiverRole}              peer map=pg_manage`,
};

/**
 * Makes the role, its way in and the slot, and proves that it is let in. May be done again at any time. A slot that was lost is
 * made anew: what it lost is in the archive.
 * @returns the timeline that the server is on
 * @throws RECEIVER_FAILED when the role is not let in
 */
export async function openEntry({ signal }: Task, paths: InstancePaths, record: InstanceRecord): Promise<number> {
  const limits = { signal, timeoutMs: 10_000 };
  const changed = [writeIdent(paths), addRule(paths, receiverRule)].includes(true);
  const timeline = await withClient({ ...asSuperuser(paths, record), ...limits }, async (client) => {
    const { rows: roles } = await client.query('select from pg_roles where rolname = $1', [receiverRole]);
    if (roles.length === 0) await client.query(`create role ${receiverRole} login replication`);
    if (changed) await client.query('select pg_reload_conf()');
    await client.query(
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and wal_status = 'lost'`,
      [receiverRole],
    );
    await client.query(
      `select pg_create_physical_replication_slot($1, true)
        where not exists (select from pg_replication_slots where slot_name = $1)`,
      [receiverRole],
    );
    const { rows } = await client.query<{ timeline: number }>(
      `select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline`,
    );
    return rows[0]?.timeline ?? 1;
  });
  if (changed) await proveEntry(signal, paths, record);
  return timeline;
}

/** A server that was told to read its rules again does so in a moment. */
async function proveEntry(signal: AbortSignal, paths: InstancePaths, record: InstanceRecord): Promise<void> {
  const address = { ...asSuperuser(paths, record), user: receiverRole, replication: true };
  let refusal: unknown;
  const entered = async (): Promise<true | undefined> => {
    try {
      await withClient({ ...address, signal, timeoutMs: 5000 }, async (client) => {
        await client.query('IDENTIFY_SYSTEM');
      });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      refusal = error;
      return undefined;
    }
  };
  if (await poll(entered, { signal, timeoutMs: 5000 })) return;
  throw new AppError('RECEIVER_FAILED', `the server does not let the role ${receiverRole} in`, {
    hint: `see what the server says with: ./manage.ts logs ${record.name}`,
    output: (refusal as Error).message,
    cause: refusal,
  });
}

/** Takes away what `openEntry` made; the receiver has ended by then. */
export async function closeEntry({ signal }: Task, paths: InstancePaths, record: InstanceRecord): Promise<void> {
  removeRule(paths, receiverRule);
  await withClient({ ...asSuperuser(paths, record), signal, timeoutMs: 10_000 }, async (client) => {
    await client.query('select pg_reload_conf()');
    const free = async (): Promise<true | undefined> => {
      const { rows } = await client.query<{ active: boolean }>(
        'select active from pg_replication_slots where slot_name = $1',
        [receiverRole],
      );
      return rows[0]?.active === true ? undefined : true;
    };
    // Its session learns of the receiver's end in a moment.
    await poll(free, { signal, timeoutMs: 5000 });
    await client.query('select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1', [
      receiverRole,
    ]);
    await client.query(`drop role if exists ${receiverRole}`);
  });
}

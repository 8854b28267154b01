import { AppError } from '../errors.ts';
import { poll } from '../host/wait.ts';
import { addRule, removeRule } from '../instances/access-rules.ts';
import { poolerRole, writeIdent } from '../instances/configure.ts';
import { asSuperuser } from '../instances/connection.ts';
import type { InstancePaths } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { withClient } from '../postgres/sql.ts';
import type { Task } from '../task.ts';

/*
 * How a pooler knows its clients without a password of anybody's in a file: it asks the server for the SCRAM verifier of
 * the role that logs in (auth_query), each time, so a changed password counts from the next login on. The role it asks as has
 * no password: over the socket the operating system vouches for the account that runs both. What the client proves with SCRAM
 * then opens the server too, as the verifier is the very same (PgBouncer's documentation, "auth_file", on SCRAM secrets).
 * A file of verifiers would be out of date at the first ALTER ROLE … PASSWORD.
 */

/** The schema is named like the role. In 1.18 the query runs in the client's own database, so each has the function. */
export const lookupQuery = `SELECT role, secret FROM ${poolerRole}.secret_of($1)`;

export const poolerRule = {
  comment: '# The pooler looks up secrets as this role, which has no password (pg-manage).',
  line: `local   all          ${poolerRole}                peer map=pg_manage`,
};

/** Roles that may do everything go direct, where slots are kept for them; an expired password has no secret (CVE-2025-2291). */
const createLookup = `
  create schema if not exists ${poolerRole};
  create or replace function ${poolerRole}.secret_of(wanted text, out role name, out secret text) returns setof record
    language sql stable security definer set search_path = pg_catalog as $$
      select rolname, rolpassword from pg_authid
       where rolname = wanted and rolcanlogin and not rolsuper and not rolreplication
         and (rolvaliduntil is null or rolvaliduntil > now())
    $$;
  revoke all on schema ${poolerRole} from public;
  revoke all on function ${poolerRole}.secret_of(text) from public;
  grant usage on schema ${poolerRole} to ${poolerRole};
  grant execute on function ${poolerRole}.secret_of(text) to ${poolerRole};
`;

/**
 * Lets the pooler's role look up secrets in these databases, and proves that it can. May be done again at any time.
 * @throws POOLER_FAILED when the role is not let in
 */
export async function openLookup(
  { signal }: Task,
  paths: InstancePaths,
  record: InstanceRecord,
  databases: readonly string[],
): Promise<void> {
  const limits = { signal, timeoutMs: 10_000 };
  const changed = [writeIdent(paths), addRule(paths, poolerRule)].includes(true);
  await withClient({ ...asSuperuser(paths, record), ...limits }, async (client) => {
    const { rows } = await client.query(`select from pg_roles where rolname = '${poolerRole}'`);
    if (rows.length === 0) await client.query(`create role ${poolerRole} login`);
    if (changed) await client.query('select pg_reload_conf()');
  });
  for (const database of databases) {
    await withClient({ ...asSuperuser(paths, record, database), ...limits }, async (client) => {
      await client.query(createLookup);
    });
    await proveLookup(signal, paths, record, database);
  }
}

/** A server that was told to read its rules again does so in a moment. */
async function proveLookup(
  signal: AbortSignal,
  paths: InstancePaths,
  record: InstanceRecord,
  database: string,
): Promise<void> {
  const address = { ...asSuperuser(paths, record, database), user: poolerRole };
  let refusal: unknown;
  const asked = async (): Promise<true | undefined> => {
    try {
      await withClient({ ...address, signal, timeoutMs: 5000 }, async (client) => {
        await client.query(lookupQuery.replace('$1', "''"));
      });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      refusal = error;
      return undefined;
    }
  };
  if (await poll(asked, { signal, timeoutMs: 5000 })) return;
  throw new AppError('POOLER_FAILED', `the role ${poolerRole} cannot look up secrets in ${database}`, {
    hint: `see what the server says with: ./manage.ts logs ${record.name}`,
    output: (refusal as Error).message,
    cause: refusal,
  });
}

/** Takes away what `openLookup` made, in every database that is there now. */
export async function closeLookup({ signal }: Task, paths: InstancePaths, record: InstanceRecord): Promise<void> {
  const limits = { signal, timeoutMs: 10_000 };
  removeRule(paths, poolerRule);
  const { databases, exists } = await withClient({ ...asSuperuser(paths, record), ...limits }, async (client) => {
    const { rows } = await client.query<{ databases: string[]; exists: boolean }>(
      `select array(select datname::text from pg_database where datallowconn) as databases,
              exists (select from pg_roles where rolname = '${poolerRole}') as exists`,
    );
    await client.query('select pg_reload_conf()');
    return rows[0] ?? { databases: [], exists: false };
  });
  if (!exists) return;
  for (const database of databases) {
    await withClient({ ...asSuperuser(paths, record, database), ...limits }, async (client) => {
      await client.query(`drop function if exists ${poolerRole}.secret_of(text)`);
      await client.query(`drop schema if exists ${poolerRole}`);
    });
  }
  await withClient({ ...asSuperuser(paths, record), ...limits }, async (client) => {
    await client.query(`drop role if exists ${poolerRole}`);
  });
}

import { AppError } from '../errors.ts';
import { scramVerifier } from '../postgres/scram.ts';
import { type Client, identifier, literal } from '../postgres/sql.ts';
import { said } from './databases.ts';
import { grantStatements, type Privileges, revokeStatements } from './privileges.ts';

export interface RoleWish {
  role: string;
  /** Undefined keeps the password of a role that is there. */
  password: string | undefined;
  privileges: Privileges;
  memberOf: readonly string[];
  /** The database that the client is in, for which the privileges are. */
  database: string;
  /** What is to be taken back before: words of privileges, and roles whose member it is no more. */
  without?: { privileges: Privileges; memberOf: readonly string[] };
}

export async function roleExists(client: Client, role: string): Promise<boolean> {
  const { rows } = await client.query('select from pg_roles where rolname = $1', [role]);
  return rows.length > 0;
}

/**
 * Makes a role that may log in, or brings one that is there up to what is wished: its password where one is given, its
 * privileges in the client's database, its memberships. All of it or nothing. The server never sees the password itself.
 * @returns whether the role was made
 * @throws SQL_FAILED
 */
export async function grantRole(client: Client, wish: RoleWish): Promise<boolean> {
  const { role, password, privileges, memberOf, database, without } = wish;
  const present = await roleExists(client, role);
  const secret = password === undefined ? '' : ` password ${literal(scramVerifier(password))}`;
  const place = { database, schemas: await schemasOf(client), makers: await makersOf(client) };
  await said(`role ${role}`, async () => {
    await client.query('begin');
    if (!present) await client.query(`create role ${identifier(role)} login${secret}`);
    else await client.query(`alter role ${identifier(role)} login${secret}`);
    for (const group of without?.memberOf ?? []) {
      await client.query(`revoke ${identifier(group)} from ${identifier(role)}`);
    }
    for (const statement of without === undefined ? [] : revokeStatements(role, without.privileges, place)) {
      await client.query(statement);
    }
    for (const group of memberOf) await client.query(`grant ${identifier(group)} to ${identifier(role)}`);
    for (const statement of grantStatements(role, privileges, place)) await client.query(statement);
    await client.query('commit');
  });
  return !present;
}

/** The schemas that are not the server's nor this tool's. */
async function schemasOf(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select nspname as name from pg_namespace
      where nspname !~ '^(pg_|pgmanage)' and nspname <> 'information_schema' order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** Who makes tables here: the owner of the database, and whoever owns some already. */
async function makersOf(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select pg_get_userbyid(datdba) as name from pg_database where datname = current_database()
      union
     select pg_get_userbyid(relowner) from pg_class join pg_namespace n on n.oid = relnamespace
      where relkind in ('r', 'p', 'v', 'm', 'S') and nspname !~ '^(pg_|pgmanage)' and nspname <> 'information_schema'
      order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** Opens a superuser's client in another database of the same instance. */
export type InDatabase = <T>(database: string, work: (client: Client) => Promise<T>) => Promise<T>;

/**
 * Takes a role away with its grants. What it owns is never dropped with it: it goes to `reassignTo`, or the role stays.
 * @returns false when there is none
 * @throws ROLE_IN_USE with what it owns or who is logged in with it, SQL_FAILED
 */
export async function dropRole(
  client: Client,
  inDatabase: InDatabase,
  { role, reassignTo }: { role: string; reassignTo: string | undefined },
): Promise<boolean> {
  if (!(await roleExists(client, role))) return false;
  await assertLoggedOut(client, role);
  const owned = await ownedBy(client, role);
  if (owned.length > 0 && reassignTo === undefined) {
    throw new AppError('ROLE_IN_USE', `role ${role} owns ${owned.join(', ')}`, {
      hint: 'give what it owns to another role: --reassign-to ROLE',
    });
  }
  const { rows } = await client.query<{ name: string }>('select datname as name from pg_database where datallowconn');
  for (const { name } of rows) {
    await inDatabase(name, async (there) => {
      await said(`role ${role} in database ${name}`, async () => {
        await there.query('begin');
        if (reassignTo !== undefined) {
          await there.query(`reassign owned by ${identifier(role)} to ${identifier(reassignTo)}`);
        }
        // Only grants are left by now: what it owned would have stopped us, or is another's.
        await there.query(`drop owned by ${identifier(role)}`);
        await there.query('commit');
      });
    });
  }
  await said(`role ${role} cannot be dropped`, async () => client.query(`drop role ${identifier(role)}`));
  return true;
}

async function assertLoggedOut(client: Client, role: string): Promise<void> {
  const { rows } = await client.query<{ count: number }>(
    'select count(*)::int as count from pg_stat_activity where usename = $1',
    [role],
  );
  const count = rows[0]?.count ?? 0;
  if (count === 0) return;
  throw new AppError('ROLE_IN_USE', `${count} session${count === 1 ? ' is' : 's are'} logged in as ${role}`, {
    hint: `end them first: select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`,
  });
}

/** What a role owns, by database: `3 objects in shop`, `database old`. */
async function ownedBy(client: Client, role: string): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `select case when d.oid is not null then format('%s object%s in %s', count(*), case count(*) when 1 then '' else 's' end, d.datname)
                 when o.oid is not null then 'database ' || o.datname
                 else 'shared objects' end as what
       from pg_shdepend s
       left join pg_database d on d.oid = s.dbid
       left join pg_database o on s.classid = 'pg_database'::regclass and o.oid = s.objid
      where s.refclassid = 'pg_authid'::regclass and s.deptype = 'o'
        and s.refobjid = (select oid from pg_roles where rolname = $1)
      group by d.oid, d.datname, o.oid, o.datname order by 1`,
    [role],
  );
  return rows.map(({ what }) => what);
}

import type { Client } from '../postgres/sql.ts';
import type { Privileges } from './privileges.ts';

export interface SurveyedDatabase {
  name: string;
  owner: string;
  sizeBytes: number;
  /** LC_COLLATE. */
  locale: string;
}

export interface SurveyedRole {
  name: string;
  canLogin: boolean;
  attributes: Privileges['attributes'];
  /** The roles whose member it is, sorted. */
  memberOf: string[];
}

/** The databases that clients have, without those of the server itself and of templates. */
export async function surveyDatabases(client: Client): Promise<SurveyedDatabase[]> {
  const { rows } = await client.query<SurveyedDatabase>(
    `select datname as name, pg_get_userbyid(datdba) as owner, pg_database_size(oid)::float8 as "sizeBytes",
            datcollate as locale
       from pg_database where datallowconn and not datistemplate and datname <> 'postgres' order by datname`,
  );
  return rows;
}

/** The roles that are neither the server's, nor this tool's, nor superusers. */
export async function surveyRoles(client: Client): Promise<SurveyedRole[]> {
  const { rows } = await client.query<SurveyedRole>(
    `select rolname as name, rolcanlogin as "canLogin",
            array_remove(array[case when rolcreatedb then 'createdb' end, case when rolcreaterole then 'createrole' end,
                               case when rolbypassrls then 'bypassrls' end,
                               case when rolreplication then 'replication' end], null) as attributes,
            array(select distinct pg_get_userbyid(roleid)::text from pg_auth_members where member = r.oid order by 1) as "memberOf"
       from pg_roles r where not rolsuper and rolname !~ '^(pg_|pgmanage_)' order by rolname`,
  );
  return rows;
}

/** What a role may do in one database, in the words of `create-user --privileges`. */
export interface HeldPrivileges extends Omit<Privileges, 'attributes'> {
  /** The owner of a database may do all with it, whatever was granted. */
  isOwner: boolean;
}

/**
 * What was granted to each role in the database that the client is in. `read`, `write` and `all` are held only where they
 * cover every table and sequence there is, and those that the roles who make tables here will make: what a migration has
 * granted on single tables is neither of them.
 */
export async function surveyPrivileges(client: Client): Promise<Map<string, HeldPrivileges>> {
  const { rows } = await client.query<GrantRow>(grantsQuery);
  return new Map(rows.map((row) => [row.role, heldOf(row)]));
}

type Counts = Readonly<Record<string, number>>;

interface GrantRow {
  role: string;
  isOwner: boolean;
  onDatabase: string[] | null;
  /** How many objects of each kind the role has a privilege on, by privilege. */
  tables: Counts;
  sequences: Counts;
  schemas: Counts;
  /** How many of the makers grant it beforehand, by kind (r, S, n) and privilege: `r SELECT`. */
  future: Counts;
  totals: { tables: number; sequences: number; schemas: number; makers: number };
}

const needed = {
  read: { tables: ['SELECT'], sequences: ['SELECT'], schemas: ['USAGE'] },
  write: {
    tables: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    sequences: ['SELECT', 'USAGE', 'UPDATE'],
    schemas: ['USAGE'],
  },
  all: {
    tables: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'],
    sequences: ['SELECT', 'USAGE', 'UPDATE'],
    schemas: ['USAGE', 'CREATE'],
  },
} as const;

function heldOf({ isOwner, onDatabase, tables, sequences, schemas, future, totals }: GrantRow): HeldPrivileges {
  const granted = (onDatabase ?? []).map((word) => word.toLowerCase());
  const words = (['connect', 'create', 'temporary'] as const).filter((word) => granted.includes(word));
  const all = (counts: Counts, privileges: readonly string[], total: number, prefix = ''): boolean =>
    privileges.every((privilege) => (counts[prefix + privilege] ?? 0) === total);
  const holds = (bundle: keyof typeof needed): boolean => {
    const need = needed[bundle];
    return (
      all(tables, need.tables, totals.tables) &&
      all(sequences, need.sequences, totals.sequences) &&
      all(schemas, need.schemas, totals.schemas) &&
      all(future, need.tables, totals.makers, 'r ') &&
      all(future, need.sequences, totals.makers, 'S ') &&
      all(future, need.schemas, totals.makers, 'n ')
    );
  };
  return { isOwner, onDatabase: words, onTables: (['all', 'write', 'read'] as const).find(holds) };
}

/** A maker needs no grant from itself. The lists of schemas, tables and makers are those of `grantRole`. */
const grantsQuery = `
  with schemas as (
    select oid, coalesce(nspacl, acldefault('n', nspowner)) as acl from pg_namespace
     where nspname !~ '^(pg_|pgmanage)' and nspname <> 'information_schema'
  ), relations as (
    select c.oid, relkind = 'S' as is_sequence, relowner,
           coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner)) as acl
      from pg_class c join schemas s on s.oid = relnamespace where relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  ), makers as (
    select datdba as oid from pg_database where datname = current_database() union
    select relowner from relations
  ), granted as (
    select 't' as kind, x.grantee, x.privilege_type as privilege, r.oid from relations r, aclexplode(acl) x where not is_sequence
    union select 'q', x.grantee, x.privilege_type, r.oid from relations r, aclexplode(acl) x where is_sequence
    union select 's', x.grantee, x.privilege_type, s.oid from schemas s, aclexplode(acl) x
    union select 'f', x.grantee, a.defaclobjtype::text || ' ' || x.privilege_type, m.oid
            from makers m join pg_default_acl a on a.defaclrole = m.oid and a.defaclnamespace = 0, aclexplode(a.defaclacl) x
    union select 'f', m.oid, k || ' ' || p, m.oid from makers m, unnest(array['r', 'S', 'n']) k,
            unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'USAGE', 'CREATE']) p
  ), counts as (
    select grantee, kind, jsonb_object_agg(privilege, n) as counts
      from (select grantee, kind, privilege, count(distinct oid) as n from granted group by 1, 2, 3) g group by 1, 2
  ), totals as (
    select jsonb_build_object('tables', (select count(*) from relations where not is_sequence),
                              'sequences', (select count(*) from relations where is_sequence),
                              'schemas', (select count(*) from schemas),
                              'makers', (select count(*) from makers)) as totals
  )
  select r.rolname as role, d.datdba = r.oid as "isOwner",
         (select array_agg(distinct x.privilege_type) from aclexplode(d.datacl) x where x.grantee = r.oid) as "onDatabase",
         coalesce((select counts from counts where grantee = r.oid and kind = 't'), '{}') as tables,
         coalesce((select counts from counts where grantee = r.oid and kind = 'q'), '{}') as sequences,
         coalesce((select counts from counts where grantee = r.oid and kind = 's'), '{}') as schemas,
         coalesce((select counts from counts where grantee = r.oid and kind = 'f'), '{}') as future,
         totals
    from pg_roles r, pg_database d, totals
   where d.datname = current_database() and not r.rolsuper and r.rolname !~ '^(pg_|pgmanage_)'`;

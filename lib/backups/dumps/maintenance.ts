import type { Client } from '../../postgres/sql.ts';

/** The database that every server has, and that this tool is connected to. */
export const maintenance = 'postgres';

/** Holds what this tool writes there; the next one that needs it makes it again. */
export const ownSchema = 'pgmanage';

/**
 * Whether the database `postgres`, which the client is in, holds anything that neither the server nor this tool brought along:
 * what was made since has a number from 16384 on (PostgreSQL's access/transam.h, FirstNormalObjectId).
 */
export async function holdsOwn(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>(
    `with ours as (
       select 'pg_namespace'::regclass::oid as classid, oid as objid from pg_namespace where nspname = '${ownSchema}'
       union all
       select d.classid, d.objid from pg_depend d
        where refclassid = 'pg_namespace'::regclass and refobjid = (select oid from pg_namespace where nspname = '${ownSchema}')),
     made as (
       select classid, objid, refclassid, refobjid from pg_depend where deptype in ('n', 'e')
       union all select 'pg_namespace'::regclass, oid, 0, 0 from pg_namespace where nspname !~ '^pg_'
       union all select 'pg_foreign_data_wrapper'::regclass, oid, 0, 0 from pg_foreign_data_wrapper
       union all select 'pg_publication'::regclass, oid, 0, 0 from pg_publication
       union all select 'pg_cast'::regclass, oid, 0, 0 from pg_cast
       -- Its number may be its maker's choice.
       union all select 'pg_largeobject'::regclass, 16384, 0, 0 from pg_largeobject_metadata)
     select exists (select from made where objid >= 16384 and (classid, objid) not in (table ours)
                       and (refclassid, refobjid) not in (table ours)) as held`,
  );
  return rows[0]?.held ?? false;
}

/** The database to be in while another one is made, renamed or dropped. */
export function elsewhere(database: string): string {
  return database === maintenance ? 'template1' : maintenance;
}

/** Pieces of SQL that the questions to the catalogue share. All names are those of pg_catalog, which is the search path. */

/** True of the schemas that are compared. @param name an expression of type name */
export function isOurs(name: string): string {
  return `(${name} !~ '^pg_' AND ${name} NOT IN ('information_schema', 'pgmanage', 'pgmanage_seeds'))`;
}

/** True of what an extension has made: its version tells of it. @param catalogue such as pg_class */
export function isOfExtension(catalogue: string, oid: string): string {
  return `EXISTS (SELECT FROM pg_depend x WHERE x.classid = '${catalogue}'::regclass AND x.objid = ${oid} AND x.deptype = 'e')`;
}

/** A role's name; the instance's own role is called the same in each. @param oid zero means everybody */
export function roleName(oid: string): string {
  return `CASE WHEN ${oid} = 0 THEN 'PUBLIC' ELSE (SELECT CASE WHEN rolname = session_user THEN 'its role' ELSE quote_ident(rolname) END FROM pg_roles WHERE oid = ${oid}) END`;
}

/**
 * Who may do what, in an order of its own. No list at all and one that says what is the default mean the same.
 * @param type of the object, as acldefault wants it
 */
export function privileges(list: string, type: string, owner: string): string {
  return grants(`coalesce(${list}, acldefault('${type}', ${owner}))`);
}

/** As `privileges`, for a list that has no default: null where there is none. */
export function grants(list: string): string {
  return `(SELECT 'grants ' || string_agg(line, ', ' ORDER BY line COLLATE "C") FROM (
    SELECT ${roleName('grantee')} || ': ' || string_agg(privilege_type || CASE WHEN is_grantable THEN ' (may grant)' ELSE '' END,
      ' ' ORDER BY privilege_type COLLATE "C") AS line FROM aclexplode(${list}) GROUP BY grantee) g)`;
}

/** The parts that are not null, one a line. */
export function lines(...parts: string[]): string {
  return `concat_ws(E'\\n', ${parts.join(', ')})`;
}

/** A line if a condition holds. */
export function when(condition: string, line: string): string {
  return `CASE WHEN ${condition} THEN '${line}' END`;
}

/** Options as `with (name=value, …)`; null where there are none. */
export function options(list: string, word = 'with'): string {
  return `'${word} (' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(${list}) o) || ')'`;
}

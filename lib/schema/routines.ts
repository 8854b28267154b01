import { isOfExtension, isOurs, lines, privileges, roleName } from './fragments.ts';

const routineName = `format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))`;
const routine = `pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace`;
const ours = `${isOurs('n.nspname')} AND NOT ${isOfExtension('pg_proc', 'p.oid')}`;
const ownerAndGrants = [`'owner ' || ${roleName('p.proowner')}`, privileges('p.proacl', 'f', 'p.proowner')];

const functions = `
  SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind, ${routineName} AS name,
    ${lines('pg_get_functiondef(p.oid)', ...ownerAndGrants)} AS definition
  FROM ${routine} WHERE p.prokind <> 'a' AND ${ours}`;

const aggregates = `
  SELECT 'aggregate' AS kind, ${routineName} AS name, ${lines(
    "'state ' || a.aggtranstype::regtype::text",
    "'by ' || a.aggtransfn::text",
    "'final ' || nullif(a.aggfinalfn, 0)::regproc::text",
    "'combine ' || nullif(a.aggcombinefn, 0)::regproc::text",
    "'begins with ' || a.agginitval",
    "'order ' || nullif(a.aggsortop, 0)::regoper::text",
    ...ownerAndGrants,
  )} AS definition
  FROM ${routine} JOIN pg_aggregate a ON a.aggfnoid = p.oid WHERE ${ours}`;

/** Enumerations, domains and ranges; composite types are told of as what they are made of, relations. */
const types = `
  SELECT 'type' AS kind, format('%I.%I', n.nspname, t.typname) AS name, ${lines(
    "CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain of ' || format_type(t.typbasetype, t.typtypmod) WHEN 'r' THEN 'range' ELSE 'base' END",
    "(SELECT string_agg(quote_literal(enumlabel), E'\\n' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)",
    "CASE WHEN t.typnotnull THEN 'not null' END",
    "'default ' || t.typdefault",
    "CASE WHEN t.typtype = 'd' THEN (SELECT 'collate ' || quote_ident(collname) FROM pg_collation WHERE oid = t.typcollation AND collname <> 'default') END",
    "(SELECT 'of ' || rngsubtype::regtype::text FROM pg_range WHERE rngtypid = t.oid)",
    `'owner ' || ${roleName('t.typowner')}`,
    privileges('t.typacl', 'T', 't.typowner'),
  )} AS definition
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE ${isOurs('n.nspname')} AND NOT ${isOfExtension('pg_type', 't.oid')}
    AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'b' AND t.typelem = 0)`;

/** Functions, procedures, aggregates and types. */
export const routineQueries = [functions, aggregates, types] as const;

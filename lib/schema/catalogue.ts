import { isOfExtension, isOurs, lines, options, grants, privileges, roleName, when } from './fragments.ts';
import { relationQueries } from './relations.ts';
import { routineQueries } from './routines.ts';

/** Identifiers below are the system's own (FirstNormalObjectId, PostgreSQL's src/include/access/transam.h). */
const firstOfUsers = 16384;

const database = `
  SELECT 'database' AS kind, 'itself' AS name, ${lines(
    "'encoding ' || pg_encoding_to_char(encoding)",
    "'collate ' || datcollate",
    "'ctype ' || datctype",
  )} AS definition FROM pg_database WHERE datname = current_database()`;

const schemas = `
  SELECT 'schema' AS kind, quote_ident(n.nspname) AS name,
    ${lines(`'owner ' || ${roleName('n.nspowner')}`, privileges('n.nspacl', 'n', 'n.nspowner'))} AS definition
  FROM pg_namespace n WHERE ${isOurs('n.nspname')} AND NOT ${isOfExtension('pg_namespace', 'n.oid')}`;

const extensions = `
  SELECT 'extension' AS kind, quote_ident(e.extname) AS name, format('version %s in schema %I', e.extversion, n.nspname) AS definition
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace`;

const statistics = `
  SELECT 'statistics' AS kind, format('%I.%I', n.nspname, s.stxname) AS name, pg_get_statisticsobjdef(s.oid) AS definition
  FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE ${isOurs('n.nspname')}`;

const eventTriggers = `
  SELECT 'event trigger' AS kind, quote_ident(evtname) AS name,
    concat_ws(' ', 'on', evtevent, array_to_string(evttags, ', '), 'by', evtfoid::regproc, 'enabled:', evtenabled) AS definition
  FROM pg_event_trigger e WHERE NOT ${isOfExtension('pg_event_trigger', 'e.oid')}`;

const publications = `
  SELECT 'publication' AS kind, quote_ident(p.pubname) AS name, ${lines(
    when('p.puballtables', 'of all tables'),
    `concat_ws(' ', 'of', ${when('p.pubinsert', 'insert')}, ${when('p.pubupdate', 'update')}, ${when('p.pubdelete', 'delete')}, ${when('p.pubtruncate', 'truncate')})`,
    `(SELECT string_agg(prrelid::regclass::text, E'\\n' ORDER BY prrelid::regclass::text COLLATE "C") FROM pg_publication_rel WHERE prpubid = p.oid)`,
  )} AS definition FROM pg_publication p`;

const servers = `
  SELECT 'foreign server' AS kind, quote_ident(s.srvname) AS name, ${lines(
    "concat_ws(' ', 'by', quote_ident(w.fdwname), s.srvtype, s.srvversion)",
    options('s.srvoptions', 'options'),
    `'owner ' || ${roleName('s.srvowner')}`,
    privileges('s.srvacl', 'S', 's.srvowner'),
  )} AS definition FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw`;

const defaultPrivileges = `
  SELECT 'default privileges' AS kind,
    concat_ws(' ', 'of', ${roleName('d.defaclrole')}, 'on', d.defaclobjtype::text, 'in ' || quote_ident(n.nspname)) AS name,
    coalesce(${grants('d.defaclacl')}, '') AS definition
  FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace`;

const comments = `
  SELECT 'comment' AS kind, i.type || ' ' || i.identity AS name, d.description AS definition
  FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i
  WHERE d.objoid >= ${firstOfUsers} AND ${isOurs("coalesce(i.schema, '')")} AND i.identity NOT IN ('pgmanage', 'pgmanage_seeds')
    AND d.classoid <> 'pg_extension'::regclass -- which brings its own
    AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = d.classoid AND x.objid = d.objoid AND x.deptype = 'e')`;

/** What few schemas have; of these only the presence is compared. */
const rarities = [
  'pg_cast',
  'pg_collation',
  'pg_conversion',
  'pg_foreign_data_wrapper',
  'pg_language',
  'pg_opclass',
  'pg_operator',
  'pg_opfamily',
  'pg_transform',
  'pg_ts_config',
  'pg_ts_dict',
  'pg_ts_parser',
  'pg_ts_template',
];

const presence = `
  SELECT i.type AS kind, i.identity AS name, '' AS definition
  FROM (${rarities.map((name) => `SELECT '${name}'::regclass::oid, oid FROM ${name}`).join(' UNION ALL ')}) o (classid, objid),
    pg_identify_object(o.classid, o.objid, 0) i
  WHERE o.objid >= ${firstOfUsers} AND ${isOurs("coalesce(i.schema, '')")}
    AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = o.classid AND x.objid = o.objid AND x.deptype = 'e')`;

/** Each gives rows of kind, name and definition. */
export const catalogueQueries: readonly string[] = [
  database,
  schemas,
  extensions,
  ...relationQueries,
  ...routineQueries,
  statistics,
  eventTriggers,
  publications,
  servers,
  defaultPrivileges,
  comments,
  presence,
];

import { AppError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { identifier } from '../postgres/sql.ts';

const attributes = ['createdb', 'createrole', 'bypassrls', 'replication'] as const;
const onDatabase = ['connect', 'create', 'temporary'] as const;
const onTables = ['read', 'write', 'all'] as const;

type Word = (typeof attributes | typeof onDatabase | typeof onTables)[number];

/** Other words for the same, as PostgreSQL, the old tool and habit write them. */
const sameWords: Readonly<Record<string, Word>> = {
  readonly: 'read',
  select: 'read',
  readwrite: 'write',
  temp: 'temporary',
};

export interface Privileges {
  attributes: (typeof attributes)[number][];
  onDatabase: (typeof onDatabase)[number][];
  onTables: (typeof onTables)[number] | undefined;
}

/**
 * Reads `--privileges read,createdb`.
 * @throws USAGE with the nearest word
 */
export function readPrivileges(text: string | undefined): Privileges {
  const words = (text ?? '')
    .split(',')
    .flatMap((part) => (part.trim() === '' ? [] : [wordOf(part.trim().toLowerCase())]));
  const among = <T extends Word>(known: readonly T[]): T[] => known.filter((word) => words.includes(word));
  return { attributes: among(attributes), onDatabase: among(onDatabase), onTables: among(onTables).at(-1) };
}

function wordOf(given: string): Word {
  const known: readonly Word[] = [...attributes, ...onDatabase, ...onTables];
  const word = sameWords[given] ?? known.find((one) => one === given);
  if (word !== undefined) return word;
  const meant = nearest(given, [...known, ...Object.keys(sameWords)]);
  throw new AppError('USAGE', `"${given}" is no privilege${meant ? `; did you mean ${meant}?` : ''}`, {
    hint: `they are: ${known.join(', ')}`,
  });
}

/** What a role may do with tables and sequences that exist, and with those that others will make. */
const tableGrants = {
  read: { tables: 'select', sequences: 'select', schema: 'usage' },
  write: { tables: 'select, insert, update, delete', sequences: 'select, usage, update', schema: 'usage' },
  all: { tables: 'all', sequences: 'all', schema: 'usage, create' },
} as const;

interface GrantPlace {
  database: string;
  schemas: readonly string[];
  /** Roles who make tables here. */
  makers: readonly string[];
}

/**
 * The statements that give a role its privileges in the database they are run in. What is made later by one of `makers` is
 * covered too (ALTER DEFAULT PRIVILEGES; PostgreSQL's documentation, "Dependency Tracking" says why DROP OWNED undoes it).
 */
export function grantStatements(role: string, privileges: Privileges, place: GrantPlace): string[] {
  const to = identifier(role);
  const { attributes: own, onDatabase: words, onTables: bundle } = privileges;
  const granted = bundle === undefined ? words : [...new Set([...words, 'connect' as const])];
  return [
    ...(own.length > 0 ? [`alter role ${to} ${own.join(' ')}`] : []),
    ...(granted.length > 0 ? [`grant ${granted.join(', ')} on database ${identifier(place.database)} to ${to}`] : []),
    ...(bundle === undefined ? [] : onTablesStatements(tableGrants[bundle], place, 'grant', `to ${to}`)),
  ];
}

/** The statements that take them back; of `read`, `write` and `all` everything on schemas, tables and sequences. */
export function revokeStatements(role: string, privileges: Privileges, place: GrantPlace): string[] {
  const from = identifier(role);
  const { attributes: own, onDatabase: words, onTables: bundle } = privileges;
  const all = { tables: 'all', sequences: 'all', schema: 'all' };
  return [
    ...(own.length > 0 ? [`alter role ${from} ${own.map((word) => `no${word}`).join(' ')}`] : []),
    ...(words.length > 0 ? [`revoke ${words.join(', ')} on database ${identifier(place.database)} from ${from}`] : []),
    ...(bundle === undefined ? [] : onTablesStatements(all, place, 'revoke', `from ${from}`)),
  ];
}

function onTablesStatements(
  { tables, sequences, schema }: Record<'tables' | 'sequences' | 'schema', string>,
  { schemas, makers }: GrantPlace,
  verb: 'grant' | 'revoke',
  whom: string,
): string[] {
  return [
    ...schemas
      .map(identifier)
      .flatMap((name) => [
        `${verb} ${schema} on schema ${name} ${whom}`,
        `${verb} ${tables} on all tables in schema ${name} ${whom}`,
        `${verb} ${sequences} on all sequences in schema ${name} ${whom}`,
      ]),
    ...makers.map(identifier).flatMap((maker) => {
      const future = `alter default privileges for role ${maker} ${verb}`;
      return [
        `${future} ${schema} on schemas ${whom}`,
        `${future} ${tables} on tables ${whom}`,
        `${future} ${sequences} on sequences ${whom}`,
      ];
    }),
  ];
}

/** The words of privileges, as `readPrivileges` reads them. */
export function privilegeWords({ attributes: own, onDatabase: words, onTables: bundle }: Privileges): string[] {
  return [...(bundle === undefined ? [] : [bundle]), ...words, ...own];
}

/** What `held` has less than `wanted`: nothing where it has it all. */
export function privilegesBeyond(wanted: Privileges, held: Privileges): Privileges {
  const missing = <T>(words: readonly T[], there: readonly T[]): T[] => words.filter((word) => !there.includes(word));
  const rank = ({ onTables: bundle }: Privileges): number => (bundle === undefined ? -1 : onTables.indexOf(bundle));
  return {
    attributes: missing(wanted.attributes, held.attributes),
    onDatabase: missing(wanted.onDatabase, held.onDatabase),
    onTables: rank(wanted) > rank(held) ? wanted.onTables : undefined,
  };
}

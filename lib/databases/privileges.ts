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

/**
 * The statements that give a role its privileges in the database they are run in. What is made later by one of `makers` is
 * covered too (ALTER DEFAULT PRIVILEGES; PostgreSQL's documentation, "Dependency Tracking" says why DROP OWNED undoes it).
 */
export function grantStatements(
  role: string,
  privileges: Privileges,
  { database, schemas, makers }: { database: string; schemas: readonly string[]; makers: readonly string[] },
): string[] {
  const to = identifier(role);
  const { attributes: own, onDatabase: words, onTables: bundle } = privileges;
  const statements = own.length > 0 ? [`alter role ${to} ${own.join(' ')}`] : [];
  const granted = bundle === undefined ? words : [...new Set([...words, 'connect' as const])];
  if (granted.length > 0) statements.push(`grant ${granted.join(', ')} on database ${identifier(database)} to ${to}`);
  if (bundle === undefined) return statements;
  const { tables, sequences, schema } = tableGrants[bundle];
  for (const name of schemas.map(identifier)) {
    statements.push(
      `grant ${schema} on schema ${name} to ${to}`,
      `grant ${tables} on all tables in schema ${name} to ${to}`,
      `grant ${sequences} on all sequences in schema ${name} to ${to}`,
    );
  }
  for (const maker of makers.map(identifier)) {
    const future = `alter default privileges for role ${maker} grant`;
    statements.push(
      `${future} ${schema} on schemas to ${to}`,
      `${future} ${tables} on tables to ${to}`,
      `${future} ${sequences} on sequences to ${to}`,
    );
  }
  return statements;
}

import type { Client } from '../../postgres/sql.ts';
import { namePattern, statementsIn, unquote } from './statements.ts';

export interface PresentRoles {
  /** These are there: they need not be made. */
  present: ReadonlySet<string>;
  /** Of these, those that stay just as they are, with the password they have now. */
  untouched: ReadonlySet<string>;
}

const aboutRole = new RegExp(`^(CREATE|ALTER|COMMENT ON) ROLE (${namePattern})`);
const membership = new RegExp(`^GRANT (${namePattern}) TO (${namePattern})`);

/** Which statements of a dump's roles are to be run on a server that has some roles already. Pure. */
export function planRoles(script: string, { present, untouched }: PresentRoles): string[] {
  return statementsIn(script).filter((statement) => {
    const [, verb, role = ''] = aboutRole.exec(statement) ?? [];
    if (verb !== undefined) return !(verb === 'CREATE' ? present : untouched).has(unquote(role));
    const [, group = '', member = ''] = membership.exec(statement) ?? [];
    if (group !== '') return !(untouched.has(unquote(group)) && untouched.has(unquote(member)));
    return !statement.startsWith('SET ');
  });
}

/** Makes roles by these statements, all or none. The server gets verifiers, never a password. @throws the driver's error */
export async function applyRoles(client: Client, statements: readonly string[]): Promise<void> {
  await client.query('begin');
  for (const statement of statements) await client.query(statement);
  await client.query('commit');
}

export async function rolesOf(client: Client): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>('select rolname as name from pg_roles');
  return new Set(rows.map(({ name }) => name));
}

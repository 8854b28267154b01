import { AppError } from '../errors.ts';
import { type Client, identifier, sqlFailed } from '../postgres/sql.ts';

/** A client of the instance's superuser, in the database `postgres`. */
export interface DatabaseWish {
  database: string;
  owner: string;
  /** Whether one that is another role's is given to this owner. */
  changeOwner?: boolean;
}

/**
 * Makes a database, unless it is there already with this very owner.
 * @returns whether it was made; false, too, where only its owner was changed
 * @throws DATABASE_EXISTS when it is another role's, SQL_FAILED
 */
export async function createDatabase(client: Client, { database, owner, changeOwner }: DatabaseWish): Promise<boolean> {
  const present = await ownerOf(client, database);
  if (present === owner) return false;
  if (present !== undefined && changeOwner === true) {
    await said(`database ${database} cannot be given to ${owner}`, async () =>
      client.query(`alter database ${identifier(database)} owner to ${identifier(owner)}`),
    );
    return false;
  }
  if (present !== undefined) {
    throw new AppError('DATABASE_EXISTS', `there is a database "${database}" already, and it is ${present}'s`, {
      hint: `choose another name, or leave it as it is: --owner ${present}`,
    });
  }
  await said(`database ${database} cannot be made`, async () =>
    client.query(`create database ${identifier(database)} owner ${identifier(owner)}`),
  );
  return true;
}

/** The role that owns a database; undefined when there is none of this name. */
export async function ownerOf(client: Client, database: string): Promise<string | undefined> {
  const { rows } = await client.query<{ owner: string }>(
    'select pg_get_userbyid(datdba) as owner from pg_database where datname = $1',
    [database],
  );
  return rows[0]?.owner;
}

/**
 * Takes a database away for good.
 * @returns false when there is none
 * @throws DATABASE_IN_USE naming who is connected, unless `force` ends their sessions; SQL_FAILED
 */
export async function dropDatabase(client: Client, database: string, force: boolean): Promise<boolean> {
  const { rows } = await client.query('select from pg_database where datname = $1', [database]);
  if (rows.length === 0) return false;
  if (!force) await assertUnused(client, database);
  await said(`database ${database} cannot be dropped`, async () =>
    client.query(`drop database ${identifier(database)}${force ? ' with (force)' : ''}`),
  );
  return true;
}

async function assertUnused(client: Client, database: string): Promise<void> {
  const { rows } = await client.query<{ who: string }>(
    `select format('%s of %s%s', count(*), usename, case application_name when '' then '' else ' (' || application_name || ')' end) as who
       from pg_stat_activity where datname = $1 and backend_type = 'client backend'
      group by usename, application_name order by count(*) desc limit 5`,
    [database],
  );
  if (rows.length === 0) return;
  throw new AppError('DATABASE_IN_USE', `database ${database} is in use: ${rows.map(({ who }) => who).join(', ')}`, {
    hint: 'end these sessions, or have them ended: --force',
  });
}

/** Runs a statement whose refusal is to be told in the server's own words. @throws SQL_FAILED */
export async function said<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw sqlFailed(what, error);
  }
}

import { type Client, withClient } from '../postgres/sql.ts';
import type { PoolerPaths } from './places.ts';

/** What PgBouncer calls both its administrator and the database that commands are given in. */
const administration = 'pgbouncer';

/** How many clients and server connections a pooler has, over all its pools. */
export interface PoolerLoad {
  clients: { active: number; waiting: number };
  servers: { active: number; idle: number };
}

interface PoolRow extends Record<string, unknown> {
  database: string;
  cl_active: number;
  cl_waiting: number;
  sv_active: number;
  sv_idle: number;
  sv_used: number;
}

/** Gives one command to a pooler, over its socket, where the operating system vouches for us. @throws the driver's error */
async function command<T extends Record<string, unknown>>(
  { socket }: PoolerPaths,
  port: number,
  signal: AbortSignal,
  text: string,
): Promise<T[]> {
  const address = { host: socket, port, user: administration, database: administration };
  const ask = async (client: Client): Promise<T[]> => (await client.query<T>(text)).rows;
  return await withClient({ ...address, signal, timeoutMs: 2000 }, ask);
}

/** Server connections are closed as soon as they are free, so that nothing planned or cached before lives on in them. */
export async function reconnect(paths: PoolerPaths, port: number, signal: AbortSignal): Promise<void> {
  await command(paths, port, signal, 'RECONNECT');
}

/** Has the configuration read again; its clients stay. */
export async function reload(paths: PoolerPaths, port: number, signal: AbortSignal): Promise<void> {
  await command(paths, port, signal, 'RELOAD');
}

export async function readLoad(paths: PoolerPaths, port: number, signal: AbortSignal): Promise<PoolerLoad> {
  const rows = await command<PoolRow>(paths, port, signal, 'SHOW POOLS');
  const pools = rows.filter(({ database }) => database !== administration);
  const sum = (of: (row: PoolRow) => number): number => pools.reduce((total, row) => total + Number(of(row)), 0);
  return {
    clients: { active: sum((row) => row.cl_active), waiting: sum((row) => row.cl_waiting) },
    servers: { active: sum((row) => row.sv_active), idle: sum((row) => row.sv_idle + row.sv_used) },
  };
}

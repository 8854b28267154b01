import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { migrate, migrationStatus } from '../../lib/migrations/apply.ts';
import { Task } from '../../lib/task.ts';
import { serverProgram } from '../helpers/database.ts';
import { normalizedDump } from '../helpers/migrations.ts';
import { startThrowawayServer, type ThrowawayServer } from '../helpers/throwaway-server.ts';

const folder = join(import.meta.dirname, '..', 'fixtures', 'migrations-real');
const files = readdirSync(folder).toSorted();
const task = new Task(new AbortController().signal, () => undefined);

let server: ThrowawayServer;

beforeAll(async () => {
  server = await startThrowawayServer();
  await server.createDatabase('ours');
  await server.createDatabase('theirs');
});
afterAll(async () => {
  await server?.stop();
});

function reach(database: string): string[] {
  const { host, port, user } = server.connection(database);
  return ['-h', host, '-p', String(port), '-U', user, '-d', database];
}

function psqlRunsThem(): void {
  for (const file of files) {
    const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', ...reach('theirs'), '-f', join(folder, file)];
    execFileSync(serverProgram('psql'), args, { stdio: 'pipe', env: { ...process.env, PGCLIENTENCODING: 'UTF8' } });
  }
}

function dump(database: string, ...options: string[]): string {
  const args = [...reach(database), '--exclude-schema=pgmanage', ...options];
  const text = execFileSync(serverProgram('pg_dump'), args, { encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 28 });
  return normalizedDump(text);
}

describe('a hundred migrations as people write them', () => {
  it('give what psql makes of the same files: schema and data', async () => {
    expect(files.length).toBeGreaterThanOrEqual(100);
    const result = await migrate(task, server.connection('ours'), { folder, lockTimeoutMs: 0, toolVersion: '9.9.9' });
    expect(result.applied).toHaveLength(files.length);
    psqlRunsThem();
    const schema = dump('ours', '--schema-only');
    expect(schema).toContain('CREATE TABLE app.orders_2026');
    expect(schema).toBe(dump('theirs', '--schema-only'));
    const data = dump('ours', '--data-only');
    expect(data).toContain('Dörte 😀');
    expect(data).toBe(dump('theirs', '--data-only'));
    const { migrations } = await migrationStatus(task, server.connection('ours'), { folder });
    expect(migrations.filter(({ state }) => state !== 'applied')).toEqual([]);
  });

  it('leave nothing to do, no half-done file and no invalid index', async () => {
    const again = await migrate(task, server.connection('ours'), { folder, lockTimeoutMs: 0, toolVersion: '9.9.9' });
    expect(again.applied).toEqual([]);
    const [left] = await server.query('ours', async (client) => {
      const { rows } = await client.query(
        `SELECT (SELECT count(*)::int FROM pgmanage.statements) AS statements,
           (SELECT count(*)::int FROM pg_index WHERE NOT indisvalid) AS invalid`,
      );
      return rows as { statements: number; invalid: number }[];
    });
    expect(left).toEqual({ statements: 0, invalid: 0 });
  });
});

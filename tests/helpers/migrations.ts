import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../lib/errors.ts';
import { migrate, type MigrateOptions, type MigrationResult } from '../../lib/migrations/apply.ts';
import type { Row } from '../../lib/postgres/sql.ts';
import { Task, type ProgressEvent } from '../../lib/task.ts';
import { startThrowawayServer, type ThrowawayConnection, type ThrowawayServer } from './throwaway-server.ts';

let databases = 0;

/** A folder of migrations and a database of their own, on a server that several share. */
export class Playground {
  server!: ThrowawayServer;
  folder = '';
  database = '';
  events: ProgressEvent[] = [];
  stopper = new AbortController();

  static async on(server: ThrowawayServer): Promise<Playground> {
    const playground = new Playground();
    playground.server = server;
    await playground.renew();
    return playground;
  }

  /** As good as new: another folder, another database. */
  async renew(): Promise<void> {
    this.folder = mkdtempSync(join(tmpdir(), 'pgm-migrations-'));
    this.database = `play${(databases += 1)}`;
    this.events = [];
    this.stopper = new AbortController();
    setMaxListeners(0, this.stopper.signal);
    await this.server.createDatabase(this.database);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  put(files: Record<string, string>): void {
    for (const [name, sql] of Object.entries(files)) writeFileSync(join(this.folder, name), sql);
  }

  get task(): Task {
    return new Task(this.stopper.signal, (event) => this.events.push(event));
  }

  get connection(): ThrowawayConnection {
    return this.server.connection(this.database);
  }

  get warnings(): string[] {
    return this.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
  }

  run(options: Partial<MigrateOptions> = {}, connection = this.connection): Promise<MigrationResult> {
    const { folder } = this;
    return migrate(this.task, connection, { folder, lockTimeoutMs: 30_000, toolVersion: '9.9.9', ...options });
  }

  sql<T extends Row = Row>(text: string): Promise<T[]> {
    return this.server.query(this.database, async (client) => (await client.query<T>(text)).rows);
  }

  /** The tables of the files' own, by name. */
  async tables(): Promise<string[]> {
    const names = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    return (await this.sql<{ name: string }>(names)).map(({ name }) => name);
  }

  /** The versions in the history, in the order in which they were applied. */
  async history(): Promise<string[]> {
    const rows = await this.sql<{ version: string }>('SELECT version FROM pgmanage.migrations ORDER BY applied_at');
    return rows.map(({ version }) => version);
  }
}

/** A playground that is new for each test of the file, on one server for all of them. */
export function usePlayground(): Playground {
  const play = new Playground();
  beforeAll(async () => {
    play.server = await startThrowawayServer();
  });
  afterAll(async () => await play.server?.stop());
  beforeEach(async () => await play.renew());
  afterEach(() => play.remove());
  return play;
}

/** The error of ours that work ends with. @throws where it ends well, or with another */
export async function refusal(work: Promise<unknown>): Promise<AppError> {
  const error: unknown = await work.then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw error;
}

/** A dump without its random key, which the minors since August 2025 write (CVE-2025-8714). */
export function normalizedDump(dump: string): string {
  return dump.replaceAll(/^\\(un)?restrict .*$/gm, String.raw`\$1restrict KEY`);
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../lib/errors.ts';
import { migrate, type MigrateOptions, type MigrationResult } from '../../lib/migrations/apply.ts';
import type { Row } from '../../lib/postgres/sql.ts';
import { Task, type ProgressEvent } from '../../lib/task.ts';
import type { ThrowawayConnection, ThrowawayServer } from './throwaway-server.ts';

let databases = 0;

/** A folder of migrations and a database of their own, on a server that several tests share. */
export class Playground {
  readonly folder = mkdtempSync(join(tmpdir(), 'pgm-migrations-'));
  readonly events: ProgressEvent[] = [];
  readonly stopper = new AbortController();
  readonly server: ThrowawayServer;
  readonly database: string;

  private constructor(server: ThrowawayServer) {
    this.server = server;
    this.database = `play${(databases += 1)}`;
  }

  static async make(server: ThrowawayServer): Promise<Playground> {
    const playground = new Playground(server);
    await server.createDatabase(playground.database);
    return playground;
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

  /** The versions in the history, in the order in which they were applied. */
  async history(): Promise<string[]> {
    const rows = await this.sql<{ version: string }>('SELECT version FROM pgmanage.migrations ORDER BY applied_at');
    return rows.map(({ version }) => version);
  }
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

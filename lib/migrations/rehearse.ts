import { poll } from '../host/wait.ts';
import { withClient, type Client } from '../postgres/sql.ts';
import type { Task } from '../task.ts';
import { migrate, type MigrateOptions } from './apply.ts';
import { heldLocks, type HeldLock, type LockSample } from './lock-times.ts';
import {
  type FileNote,
  installNotes,
  prepareHistory,
  readNotes,
  type Rewritten,
  sampleSql,
} from './rehearsal-notes.ts';
import type { MigrationConnection } from './session.ts';

/** What one file did to the copy. */
export interface RehearsedFile {
  version: string;
  name: string;
  seconds: number;
  /** The strongest on each table that was there before. */
  locks: HeldLock[];
  rewritten: Rewritten[];
  /** Of the transaction that recorded it. */
  rows: FileNote['rows'];
}

/** A throw-away copy of the database. */
export interface Copy {
  /** As the role that migrates the living one. */
  connection: MigrationConnection;
  /** Lends a connection of the superuser to the same database. */
  asSuperuser<T>(work: (client: Client) => Promise<T>): Promise<T>;
}

/**
 * Migrates a copy just as the living database will be, and says what each file did there: how long it took, which locks it
 * held for how long, which tables it wrote anew. Alone, the copy waits for nobody's locks.
 * @throws as `migrate`
 */
export async function rehearse(task: Task, copy: Copy, options: MigrateOptions): Promise<RehearsedFile[]> {
  const { connection } = copy;
  await withClient({ ...connection, signal: task.signal, timeoutMs: 60_000 }, prepareHistory);
  return await copy.asSuperuser(async (client) => {
    await installNotes(client);
    const begunMs = await serverMs(client);
    const { result, samples } = await sampling(task, client, connection.user, migrate(task, connection, options));
    const noteOf = new Map((await readNotes(client)).map((note) => [note.version, note]));
    let fromMs = begunMs;
    return result.applied.flatMap(({ version, name, seconds }): RehearsedFile[] => {
      const note = noteOf.get(version);
      if (note === undefined) return [];
      const locks = heldLocks(note, fromMs, samples);
      fromMs = note.endedMs;
      return [{ version, name, seconds, locks, rewritten: note.rewritten, rows: note.rows }];
    });
  });
}

/** Looks at the locks again and again until the work has ended: often at first, as most files are short. */
async function sampling<T>(
  { signal }: Task,
  client: Client,
  role: string,
  work: Promise<T>,
): Promise<{ result: T; samples: LockSample[] }> {
  const samples: LockSample[] = [];
  let ended = false;
  const end = (): void => void (ended = true);
  work.then(end, end);
  await poll(
    async () => {
      if (ended) return true;
      const { rows } = await client.query<LockSample>(sampleSql, [role]);
      samples.push(...rows);
      return undefined;
    },
    { signal, timeoutMs: Infinity, minMs: 2, maxMs: 50 },
  );
  return { result: await work, samples };
}

async function serverMs(client: Client): Promise<number> {
  const { rows } = await client.query<{ ms: number }>(
    "SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000 AS ms",
  );
  return rows[0]?.ms ?? 0;
}

import { AppError } from '../errors.ts';
import { run } from '../host/programs.ts';
import type { Task } from '../task.ts';
import { has, type Installation, program } from './installations.ts';
import { type Lsn, lsnAt, lsnBytes, parseLsn } from './lsn.ts';
import { readWal, type WalReach, type WalRecord } from './wal-reader.ts';
import { type TablespaceMade, tablespaceMade } from './wal-records.ts';

/** Reading a terabyte takes hours; a day is a bound all the same. */
const limitMs = 24 * 60 * 60 * 1000;

/** The tablespaces that a span of WAL makes, by the folders it makes them in (PostgreSQL's tblspcdesc.c). */
export async function tablespacesMade(
  installation: Installation,
  reach: WalReach,
  task: Task,
): Promise<TablespaceMade[]> {
  if (!has(installation, 'pg_waldump')) return await readTablespaces(reach, task);
  const { folder, timeline, from, to } = reach;
  const args = ['--rmgr=Tablespace', '--path', folder, '--timeline', String(timeline), '--start', from];
  if (to !== undefined) args.push('--end', to);
  const { stdout } = await run(program(installation, 'pg_waldump'), args, {
    signal: task.signal,
    timeoutMs: limitMs,
    // The end of what is there is a failure for pg_waldump, which has told of all before it.
    alsoEndsWith: [1],
  });
  // One without a folder lies in the data directory itself, and is nobody else's.
  const pattern = /lsn: ([0-9A-F/]+), prev ([0-9A-F/]+),.*desc: CREATE \d+ "(.+)"/g;
  // It writes positions with leading zeros.
  const position = (text: string): Lsn => lsnAt(lsnBytes(parseLsn(text)));
  return [...stdout.matchAll(pattern)].map(([, lsn = '', after = '', folder = '']) => ({
    lsn: position(lsn),
    after: position(after),
    folder,
  }));
}

/** The same by a reader of our own. */
export async function readTablespaces(reach: WalReach, { signal }: Pick<Task, 'signal'>): Promise<TablespaceMade[]> {
  const made: TablespaceMade[] = [];
  const see = (record: WalRecord): void => {
    const one = tablespaceMade(record);
    if (one !== undefined) made.push(one);
  };
  await readWal(reach, see, signal);
  return made;
}

/**
 * Why WAL cannot be read on from a position, as pg_waldump says it; undefined when only the next segment is missing.
 */
export async function whyWalEnds(installation: Installation, reach: WalReach, task: Task): Promise<string | undefined> {
  if (!has(installation, 'pg_waldump')) return (await readWal(reach, () => undefined, task.signal)).damage;
  const { folder, timeline, from, to } = reach;
  const args = ['--quiet', '--path', folder, '--timeline', String(timeline), '--start', from];
  if (to !== undefined) args.push('--end', to);
  try {
    await run(program(installation, 'pg_waldump'), args, { signal: task.signal, timeoutMs: limitMs });
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'PROGRAM_FAILED') throw error;
    const words =
      error.output
        ?.split('\n')
        .at(-1)
        ?.replace(/^pg_waldump: (error|fatal): /, '') ?? error.message;
    return /could not (find|open) file/.test(words) ? undefined : words;
  }
}

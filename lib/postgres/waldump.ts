import { AppError } from '../errors.ts';
import { run } from '../host/programs.ts';
import type { Task } from '../task.ts';
import { has, type Installation, program } from './installations.ts';
import { type Lsn, parseLsn } from './lsn.ts';
import { readWal, type WalReach, type WalRecord } from './wal-reader.ts';

/** A record that makes a tablespace in a folder, wherever it is replayed. */
export interface TablespaceMade {
  lsn: Lsn;
  folder: string;
}

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
  return [...stdout.matchAll(/lsn: ([0-9A-F/]+),.*desc: CREATE \d+ "(.*)"/g)].map((match) => ({
    lsn: parseLsn(match[1] ?? ''),
    folder: match[2] ?? '',
  }));
}

/** The same by a reader of our own. */
export async function readTablespaces(reach: WalReach, { signal }: Pick<Task, 'signal'>): Promise<TablespaceMade[]> {
  const made: TablespaceMade[] = [];
  const see = (record: WalRecord): void => {
    const isCreate = record.resourceManager === tablespaceManager && record.info === 0;
    // The number of the tablespace, then the folder as a C string, which end the record.
    const data = isCreate ? mainData(record.bytes) : undefined;
    if (data !== undefined) made.push({ lsn: record.lsn, folder: data.toString('utf8', 4, data.indexOf(0, 4)) });
  };
  await readWal(reach, see, signal);
  return made;
}

/** RM_TBLSPC_ID in PostgreSQL's rmgrlist.h. */
const tablespaceManager = 5;
/** What may stand between a record's header and its data, with the bytes that follow each mark (xlogrecord.h). */
const marks = { dataShort: 255, dataLong: 254, origin: 253, topTransaction: 252 } as const;

/** The data of a record that is about no blocks. */
function mainData(record: Buffer): Buffer | undefined {
  let at = 24;
  if (record[at] === marks.origin) at += 3;
  if (record[at] === marks.topTransaction) at += 5;
  if (record[at] === marks.dataShort) return record.subarray(at + 2);
  return record[at] === marks.dataLong ? record.subarray(at + 5) : undefined;
}

/**
 * Why WAL cannot be read on from a position, as pg_waldump says it; undefined when only the next segment is missing.
 */
export async function whyWalEnds(installation: Installation, reach: WalReach, task: Task): Promise<string | undefined> {
  if (!has(installation, 'pg_waldump')) return (await readWal(reach, () => undefined, task.signal)).damage;
  const { folder, timeline, from } = reach;
  const args = ['--quiet', '--path', folder, '--timeline', String(timeline), '--start', from];
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

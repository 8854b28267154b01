import { AppError } from '../errors.ts';
import { run } from '../host/programs.ts';
import type { Task } from '../task.ts';
import { type Installation, program } from './installations.ts';
import { type Lsn, parseLsn } from './lsn.ts';

export interface WalReach {
  /** The folder of the segments. */
  folder: string;
  timeline: number;
  from: Lsn;
  /** Where to end; at the end of what is there when left out. */
  to?: Lsn;
}

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
  { folder, timeline, from, to }: WalReach,
  task: Task,
): Promise<TablespaceMade[]> {
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

/**
 * Why WAL cannot be read on from a position, as pg_waldump says it; undefined when only the next segment is missing.
 */
export async function whyWalEnds(installation: Installation, reach: WalReach, task: Task): Promise<string | undefined> {
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

import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { chunksOf, listFolder } from '../host/files.ts';
import { run } from '../host/programs.ts';
import { breathing } from '../host/wait.ts';
import type { Task } from '../task.ts';
import { has, type Installation, program } from './installations.ts';
import { pageBytes, pageChecksum } from './page-checksum.ts';

/** What was found when all pages of a stopped server were read. */
export interface PagesChecked {
  /** False for data that was made without checksums: nothing can be said then. */
  checksums: boolean;
  files: number;
  blocks: number;
  /** Each naming file and block. */
  wrong: string[];
}

const limitMs = 24 * 60 * 60 * 1000;

/** Reads every page of a stopped server's data and compares its checksum; by pg_checksums where that is installed. */
export async function checkPages(installation: Installation, dataDirectory: string, task: Task): Promise<PagesChecked> {
  return has(installation, 'pg_checksums')
    ? await runChecksums(installation, dataDirectory, task)
    : await readPages(dataDirectory, task.signal);
}

async function runChecksums(installation: Installation, dataDirectory: string, task: Task): Promise<PagesChecked> {
  const args = ['--check', '--pgdata', dataDirectory];
  try {
    const { stdout } = await run(program(installation, 'pg_checksums'), args, {
      signal: task.signal,
      timeoutMs: limitMs,
    });
    const count = (what: string): number => Number(new RegExp(`${what} scanned: +(\\d+)`).exec(stdout)?.[1] ?? 0);
    return { checksums: true, files: count('Files'), blocks: count('Blocks'), wrong: [] };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'PROGRAM_FAILED') throw error;
    const words = error.output?.replaceAll(`${dataDirectory}/`, '').split('\n') ?? [];
    const checksums = !words.some((line) => line.includes('checksums are not enabled'));
    const wrong = words.filter((line) => line.includes('checksum verification failed'));
    return { checksums, files: 0, blocks: 0, wrong: wrong.length > 0 ? wrong : words };
  }
}

/** The same by ourselves. */
export async function readPages(dataDirectory: string, signal: AbortSignal): Promise<PagesChecked> {
  const found: PagesChecked = { checksums: false, files: 0, blocks: 0, wrong: [] };
  const breathe = breathing(signal);
  for (const path of relationFiles(dataDirectory)) {
    found.files += 1;
    // A file holds a gigabyte of its relation; the checksum of a page also says where in the relation it belongs.
    let block = Number(/\.(\d+)$/.exec(path)?.[1] ?? 0) * blocksPerFile;
    for (const chunk of chunksOf(join(dataDirectory, path))) {
      for (let at = 0; at + pageBytes <= chunk.length; at += pageBytes, block++) {
        found.blocks += 1;
        const sums = pageChecksum(chunk.subarray(at, at + pageBytes), block);
        if (sums === undefined) continue;
        if (sums.stored !== 0) found.checksums = true;
        if (sums.stored !== sums.actual)
          found.wrong.push(`checksum verification failed in file "${path}", block ${block}`);
      }
      await breathe(chunk.length);
    }
  }
  // No checksum comes out as 0: where all are, none was ever written.
  return found.checksums ? found : { ...found, wrong: [] };
}

const blocksPerFile = 1024 ** 3 / pageBytes;

/** Files of tables, indexes and their maps, below the data directory (PostgreSQL's documentation, "Database File Layout"). */
function relationFiles(dataDirectory: string): string[] {
  const below = (folder: string): string[] => listFolder(join(dataDirectory, folder)).map((name) => join(folder, name));
  const spaces = below('pg_tblspc').flatMap(below).flatMap(below);
  return ['global', ...below('base'), ...spaces]
    .flatMap(below)
    .filter((path) => /\/\d+(_(fsm|vm|init))?(\.\d+)?$/.test(path) && !/pgsql_tmp/.test(path));
}

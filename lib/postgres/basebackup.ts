import { AppError } from '../errors.ts';
import { run } from '../host/programs.ts';
import type { Task } from '../task.ts';
import type { Codec } from './codecs.ts';
import { has, type Installation, program } from './installations.ts';
import { takeServerBackup } from './server-backup.ts';

export interface BaseBackupOptions {
  target: string;
  /** The server's socket folder and port. */
  host: string;
  port: number;
  user: string;
  label: string;
  /** What the server compresses with; `none` for nothing. Before 15, pg_basebackup does it, and knows gzip alone. */
  codec: Codec;
  maxRate: string | undefined;
  progress: (detail: string) => void;
}

/** As tar files, with the WAL it needs, synced to disk; by pg_basebackup where that is installed. @throws PROGRAM_FAILED, BACKUP_FAILED */
export async function takeBaseBackup(
  installation: Installation,
  options: BaseBackupOptions,
  task: Task,
): Promise<void> {
  const take = async (level: string): Promise<void> =>
    has(installation, 'pg_basebackup')
      ? await runBaseBackup(installation, options, level, task)
      : await takeServerBackup(options, level, task);
  if (options.codec !== 'zstd') return await take(plainLevel);
  try {
    await take(threadedLevel);
  } catch (error) {
    if (!isWithoutThreads(error)) throw error;
    await take(plainLevel);
  }
}

const plainLevel = 'level=1';
/** zstd in a thread beside the process that reads, checks and sends: the same work in two thirds of the time. */
const threadedLevel = `${plainLevel},workers=1`;

/** A libzstd made without threads refuses before anything is sent (PostgreSQL's basebackup_zstd.c). */
function isWithoutThreads(error: unknown): boolean {
  return error instanceof AppError && /could not set compression worker count/.test(error.output ?? '');
}

/** Nobody can say how long a backup may take; a day is a bound all the same. */
const limitMs = 24 * 60 * 60 * 1000;

/** PostgreSQL's documentation, "pg_basebackup". @throws PROGRAM_FAILED, also when a page's checksum is wrong */
async function runBaseBackup(
  installation: Installation,
  options: BaseBackupOptions,
  level: string,
  task: Task,
): Promise<void> {
  const args = [
    '--pgdata',
    options.target,
    '--format=tar',
    '--wal-method=stream',
    '--checkpoint=fast',
    '--manifest-checksums=CRC32C',
    '--label',
    options.label,
    '--progress',
    '--no-password',
    '--host',
    options.host,
    '--port',
    String(options.port),
    '--username',
    options.user,
    ...compressionArguments(options.codec, installation.major, level),
    ...(options.maxRate === undefined ? [] : ['--max-rate', options.maxRate]),
  ];
  await run(program(installation, 'pg_basebackup'), args, {
    signal: task.signal,
    timeoutMs: limitMs,
    onErrorLine: (line) => {
      const match = /^(\d+)\/(\d+) kB \((\d+)%\)/.exec(line);
      if (match) options.progress(`${match[3]} % of ${Math.round(Number(match[2]) / 1024)} MB read`);
    },
  });
}

/** Compression on the server from 15 on (less to send, and both cores at work), by the client before. */
function compressionArguments(codec: Codec, major: number, level: string): string[] {
  if (codec === 'none') return [];
  if (major < 15) return ['--gzip', '--compress=1'];
  return [`--compress=server-${codec}:${level}`];
}

import { run } from '../host/programs.ts';
import type { Task } from '../task.ts';
import { has, type Installation, program } from './installations.ts';
import { takeServerBackup } from './server-backup.ts';

export interface BaseBackupOptions {
  target: string;
  /** The server's socket folder and port. */
  host: string;
  port: number;
  user: string;
  label: string;
  /** What the server compresses with; `none` for nothing. */
  codec: string;
  /** The same as options of pg_basebackup, from lib/backups/compression.ts. */
  compression: string[];
  maxRate: string | undefined;
  progress: (detail: string) => void;
}

/** As tar files, with the WAL it needs, synced to disk; by pg_basebackup where that is installed. @throws PROGRAM_FAILED, BACKUP_FAILED */
export async function takeBaseBackup(
  installation: Installation,
  options: BaseBackupOptions,
  task: Task,
): Promise<void> {
  if (has(installation, 'pg_basebackup')) await runBaseBackup(installation, options, task);
  else await takeServerBackup(options, task);
}

/** Nobody can say how long a backup may take; a day is a bound all the same. */
const limitMs = 24 * 60 * 60 * 1000;

/** PostgreSQL's documentation, "pg_basebackup". @throws PROGRAM_FAILED, also when a page's checksum is wrong */
async function runBaseBackup(installation: Installation, options: BaseBackupOptions, task: Task): Promise<void> {
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
    ...options.compression,
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

import pg from 'pg';
import { AppError } from '../errors.ts';
import { syncFolder } from '../host/for-good.ts';
import type { Task } from '../task.ts';
import type { BaseBackupOptions } from './basebackup.ts';
import { type Client, literal, sqlState, withClient } from './sql.ts';

/**
 * Takes a base backup without pg_basebackup: the server, from 15 on, writes the tar files by itself, as the account that
 * owns the target too (PostgreSQL's documentation, "Streaming Replication Protocol", BASE_BACKUP with TARGET). The WAL that
 * the backup needs is in base.tar, and held meanwhile by a slot that ends with the connection.
 * @throws BACKUP_FAILED with the server's words, also when a page's checksum is wrong; DISK_SPACE
 */
export async function takeServerBackup(options: BaseBackupOptions, level: string, task: Task): Promise<void> {
  const { host, port, user, target } = options;
  const warnings: string[] = [];
  const address = { host, port, user, database: '', replication: true, signal: task.signal };
  await withClient({ ...address, timeoutMs: 0, connectTimeoutMs: 30_000 }, async (client) => {
    client.on('notice', ({ severity, message }) => warnings.push(`${severity}:  ${message}`));
    try {
      await client.query(`CREATE_REPLICATION_SLOT pg_manage_${process.pid} TEMPORARY PHYSICAL (RESERVE_WAL)`);
      await perform(client, new BaseBackupQuery(command(options, level), options.progress));
    } catch (error) {
      task.signal.throwIfAborted();
      throw explain(error, warnings);
    }
  });
  syncFolder(target);
}

function command({ label, target, codec, maxRate }: BaseBackupOptions, level: string): string {
  const options = [
    `LABEL ${literal(label)}`,
    "TARGET 'server'",
    `TARGET_DETAIL ${literal(target)}`,
    'PROGRESS',
    "CHECKPOINT 'fast'",
    'WAL',
    'WAIT false', // whether the archive has it all is for the caller to see, who can say more
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'CRC32C'",
    ...(codec === 'none' ? [] : [`COMPRESSION ${literal(codec)}`, `COMPRESSION_DETAIL ${literal(level)}`]),
    ...(maxRate === undefined ? [] : [`MAX_RATE ${kilobytes(maxRate)}`]),
  ];
  return `BASE_BACKUP (${options.join(', ')})`;
}

/** As pg_basebackup reads it: kilobytes a second, or with the suffix k or M. */
export function kilobytes(rate: string): number {
  const [, number = '', suffix = ''] = /^([\d.]+)([kM]?)$/.exec(rate) ?? [];
  return Math.round(Number(number) * (suffix === 'M' ? 1024 : 1));
}

/** The driver's query of several results, which also hears how far the server is. */
class BaseBackupQuery extends pg.Query {
  private totalBytes = 0;
  private readonly progress: BaseBackupOptions['progress'];

  constructor(text: string, progress: BaseBackupOptions['progress']) {
    super(text);
    this.progress = progress;
    // Before anything is sent, a row for each tablespace, the data directory among them, with its size in kilobytes.
    this.on('row', ({ size }: { size?: string }) => (this.totalBytes += Number(size ?? 0) * 1024));
  }

  /** Called by the driver. With a target, nothing but the beginning of archives and the bytes done is sent. */
  handleCopyData({ chunk }: { chunk: Buffer }): void {
    if (chunk.length !== 9 || chunk.toString('latin1', 0, 1) !== 'p' || this.totalBytes === 0) return;
    const percent = Math.min(100, Math.round((Number(chunk.readBigInt64BE(1)) / this.totalBytes) * 100));
    this.progress(`${percent} % of ${Math.round(this.totalBytes / 1024 ** 2)} MB read`);
  }
}

async function perform(client: Client, query: BaseBackupQuery): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    query.on('end', () => resolve());
    query.on('error', reject);
    client.query(query);
  });
}

function explain(error: unknown, warnings: readonly string[]): unknown {
  const state = sqlState(error);
  if (state === undefined) return error;
  const { message } = error as Error;
  const output = [...warnings, `ERROR:  ${message}`].join('\n');
  if (state === '53100') {
    return new AppError('DISK_SPACE', `the base backup ran out of disk space: ${message}`, {
      hint: 'free some space (df -h), then repeat the command',
      output,
      cause: error,
    });
  }
  return new AppError('BACKUP_FAILED', `the server could not take a base backup: ${message}`, { output, cause: error });
}

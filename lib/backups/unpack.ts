import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { freeBytes, readText } from '../host/files.ts';
import { ensureFolder, link, makeFolder, removeFile } from '../host/folders.ts';
import { writeFileForGood } from '../host/for-good.ts';
import { run } from '../host/programs.ts';
import { suffixOf, unpackerOf } from '../postgres/codecs.ts';
import type { Task } from '../task.ts';
import { humanBytes } from '../tuning/sizes.ts';
import type { Backup } from './catalogue.ts';

const limitMs = 24 * 60 * 60 * 1000;

export interface UnpackOptions {
  /** The backup's folder in the repository. */
  backupFolder: string;
  backup: Backup;
  dataDirectory: string;
  /** Where tablespaces go, a folder each, instead of the places they had. */
  tablespaces: string;
}

/**
 * Unpacks a base backup into a new data directory. Tablespaces are never put where they were: on the same host that is
 * where the living server has them.
 * @throws DISK_SPACE before anything is written; PROGRAM_FAILED when an archive is damaged
 */
export async function unpackBackup(options: UnpackOptions, task: Task): Promise<void> {
  const { backup, dataDirectory } = options;
  await task.step('unpack', async (step) => {
    makeFolder(dataDirectory);
    assertRoom(dataDirectory, backup);
    for (const archive of archivesOf(backup)) {
      const target = targetOf(archive, options);
      ensureFolder(target);
      await untar(join(options.backupFolder, archive), target, backup, task, (bytes) => {
        step.progress(`${humanBytes(bytes)} of ${humanBytes(backup.dataBytes)}`);
      });
    }
    writeFileForGood(
      join(dataDirectory, 'backup_manifest'),
      readText(join(options.backupFolder, 'backup_manifest')) ?? '',
    );
    mapTablespaces(options);
    for (const name of ['postmaster.pid', 'postmaster.opts', 'recovery.signal', 'standby.signal']) {
      removeFile(join(dataDirectory, name));
    }
    step.result(humanBytes(backup.dataBytes));
  });
}

function assertRoom(dataDirectory: string, { dataBytes }: Backup): void {
  const free = freeBytes(dataDirectory);
  if (free > dataBytes * 1.05) return;
  throw new AppError('DISK_SPACE', `${humanBytes(free)} free, the backup unpacks to ${humanBytes(dataBytes)}`, {
    hint: 'free some space (quarantined data is the first place to look), then repeat the command',
  });
}

function archivesOf({ files }: Backup): string[] {
  return files.map(({ name }) => name).filter((name) => /^(base|\d+|pg_wal)\.tar(\.|$)/.test(name));
}

function targetOf(archive: string, { dataDirectory, tablespaces }: UnpackOptions): string {
  const name = archive.slice(0, archive.indexOf('.'));
  if (name === 'base') return dataDirectory;
  return name === 'pg_wal' ? join(dataDirectory, 'pg_wal') : join(tablespaces, name);
}

async function untar(
  file: string,
  target: string,
  { compression }: Backup,
  task: Task,
  progress: (bytes: number) => void,
): Promise<void> {
  const compressed = suffixOf[compression] !== '' && file.endsWith(suffixOf[compression]);
  const unpacker = compressed ? unpackerOf[compression] : undefined;
  // Larger records than tar's own 10 KiB: a quarter less work for the system.
  const recordBytes = 256 * 512;
  const everyRecords = 500; // 62 MiB
  // Checkpoints are GNU tar's; others unpack without saying how far they are.
  const checkpoints = process.platform === 'linux' ? [`--checkpoint=${everyRecords}`] : [];
  const args = ['--extract', '--blocking-factor=256', '--file', file, '--directory', target, ...checkpoints];
  if (unpacker !== undefined) args.push(`--use-compress-program=${unpacker}`);
  await run('tar', args, {
    signal: task.signal,
    timeoutMs: limitMs,
    onErrorLine: (line) => {
      const records = /checkpoint (\d+)/.exec(line)?.[1];
      if (records !== undefined) progress(Number(records) * recordBytes);
    },
  });
}

/**
 * Rewrites tablespace_map, which the server makes its links from when recovery begins, and makes the links now, so that
 * pg_verifybackup sees the files.
 */
function mapTablespaces({ dataDirectory, tablespaces }: UnpackOptions): void {
  const file = join(dataDirectory, 'tablespace_map');
  const lines =
    readText(file)
      ?.split('\n')
      .filter((line) => line !== '') ?? [];
  if (lines.length === 0) return;
  const oids = lines.map((line) => line.split(' ')[0] ?? '');
  writeFileForGood(file, `${oids.map((oid) => `${oid} ${join(tablespaces, oid)}`).join('\n')}\n`);
  for (const oid of oids) link(join(tablespaces, oid), join(dataDirectory, 'pg_tblspc', oid));
}

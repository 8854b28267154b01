import { basename, dirname, join } from 'node:path';
import { AppError } from '../errors.ts';
import { listCallersFolder } from '../host/callers-files.ts';
import type { Task } from '../task.ts';
import { applyFolder, type MigrateOptions } from './apply.ts';
import { type MigrationFolder, readMigrationFile } from './files.ts';
import { seedSchema } from './history.ts';
import type { MigrationConnection } from './session.ts';

export interface SeedResult {
  applied: { file: string; seconds: number }[];
  /** What a dry run would apply. */
  pending: { file: string }[];
  restorePoint: string | null;
}

/**
 * The SQL files of a folder, `2_x.sql` before `10_x.sql`, or the one file. Names need no number: each is known by its name,
 * and its text decides whether it has to run. Files whose name says that they undo something are left out.
 * @param path absolute; what ends in `.sql` is a file
 * @throws MIGRATIONS_NOT_FOUND, MIGRATION_AMBIGUOUS
 */
export function readSeeds(path: string): MigrationFolder {
  const isFile = /\.sql$/i.test(path);
  const folder = isFile ? dirname(path) : path;
  const listed = listCallersFolder(folder);
  const files = (listed ?? [])
    .filter((file) => (isFile ? file === basename(path) : isSeed(file)))
    .toSorted(new Intl.Collator('en', { numeric: true }).compare);
  if (files.length === 0) {
    const none = listed === undefined ? `there is no folder ${folder}` : `${path} holds no seed`;
    throw new AppError('MIGRATIONS_NOT_FOUND', isFile ? `there is no file ${path}` : none, {
      hint: 'name a file *.sql, or a folder that holds such files',
    });
  }
  return seedFolder(files.map((file) => ({ file, path: join(folder, file) })));
}

/** These very files, in this order, each known by the name given to it. To the engine each is applied anew when it has changed. */
export function seedFolder(files: readonly { file: string; path: string }[]): MigrationFolder {
  const repeatable = files.map(({ file, path }) =>
    readMigrationFile({ version: versionOf(file), name: file.replace(/\.sql$/i, ''), file, path }),
  );
  return { forward: [], down: [], repeatable };
}

/** Fills a database with what seed files hold: each once, and again when it has changed. @throws as `migrate` */
export async function seed(
  task: Task,
  connection: MigrationConnection,
  path: string,
  options: Omit<MigrateOptions, 'folder' | 'schema' | 'to'>,
): Promise<SeedResult> {
  return seedFrom(task, connection, readSeeds(path), options);
}

/** As `seed`, of files that were read already. */
export async function seedFrom(
  task: Task,
  connection: MigrationConnection,
  folder: MigrationFolder,
  options: Omit<MigrateOptions, 'folder' | 'schema' | 'to'>,
): Promise<SeedResult> {
  const result = await applyFolder(task, connection, folder, { what: 'seed', ...options, schema: seedSchema });
  const fileOf = new Map(folder.repeatable.map(({ version, file }) => [version, file]));
  const told = ({ version }: { version: string }): { file: string } => ({ file: fileOf.get(version) ?? version });
  return {
    applied: result.applied.map((one) => ({ ...told(one), seconds: one.seconds })),
    pending: result.pending.map(told),
    restorePoint: result.restorePoint,
  };
}

function isSeed(file: string): boolean {
  return /\.sql$/i.test(file) && !/^(\.|rollback_)|\.down\.sql$/i.test(file);
}

function versionOf(file: string): string {
  return `R__${file}`;
}

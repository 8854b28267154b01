import { type Backup, listBackups } from '../backups/catalogue.ts';
import { testRestore } from '../backups/test-restore.ts';
import { toStop } from '../backups/wal-wanted.ts';
import { AppError, toAppError } from '../errors.ts';
import type { InstanceName } from '../instances/names.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { type MigrateOptions, pendingMigrations } from '../migrations/apply.ts';
import { rehearse, type RehearsedFile } from '../migrations/rehearse.ts';
import type { MigrationConnection } from '../migrations/session.ts';
import type { Client } from '../postgres/sql.ts';
import { humanBytes } from '../tuning/sizes.ts';
import type { Context, Text } from './action.ts';
import { moment } from './moment.ts';
import { installationOf, openInstance } from './shared.ts';

export const rehearsalOptions = {
  rehearse: {
    type: 'boolean',
    describe: 'try it first on a copy, restored from the newest verified backup; then ask (--yes goes on)',
  },
} as const;

/** Which files. */
type Wanted = Pick<MigrateOptions, 'folder' | 'to' | 'allowOutOfOrder'>;

/** What a file did to the copy, and whether the living database has it already, the backup being older. */
type Rehearsed = RehearsedFile & { alreadyApplied: boolean };

export interface Rehearsal {
  backupId: string;
  /** When the copy's data is of. */
  backupFinishedAt: string;
  files: Rehearsed[];
}

/**
 * Applies what is pending to a copy of the database, shows what each file did there, and asks whether to go on.
 * @returns undefined where nothing is pending
 * @throws BACKUP_NOT_FOUND without a verified backup; REHEARSAL_FAILED; CONFIRMATION_REQUIRED: the report is in its data
 */
export async function rehearseFirst(
  context: Context,
  name: InstanceName,
  live: MigrationConnection,
  wanted: Wanted,
): Promise<Rehearsal | undefined> {
  const { pending } = await pendingMigrations(context.task, live, wanted);
  if (pending.length === 0) return undefined;
  const { record } = openInstance(context, name);
  const backup = newestVerified(context, record);
  const files = await onCopy(context, record, backup, live.database, wanted);
  const isPending = new Set(pending.map(({ version }) => version));
  const rehearsal = {
    backupId: backup.id,
    backupFinishedAt: backup.finishedAt,
    files: files.map((file) => ({ ...file, alreadyApplied: !isPending.has(file.version) })),
  };
  context.dialogue.show(page(name, rehearsal));
  try {
    await context.dialogue.confirm(
      `This applies ${pending.length === 1 ? '1 file' : `${pending.length} files`} to ${name} itself`,
      name,
    );
  } catch (error) {
    throw error instanceof AppError ? error.with({ rehearsal }) : error;
  }
  return rehearsal;
}

function newestVerified({ places }: Context, { name, id }: InstanceRecord): Backup {
  const found = listBackups(places, name).findLast(({ state, instance }) => state === 'verified' && instance.id === id);
  if (found !== undefined) return found;
  throw new AppError('BACKUP_NOT_FOUND', `instance ${name} has no verified backup to rehearse on`, {
    hint: `take one with: ./manage.ts --action backup --instance ${name}`,
  });
}

async function onCopy(
  context: Context,
  record: InstanceRecord,
  backup: Backup,
  database: string,
  wanted: Wanted,
): Promise<RehearsedFile[]> {
  const { task, lockTimeoutMs, toolVersion } = context;
  let files: RehearsedFile[] | undefined;
  const installation = await installationOf(context, record);
  const { checks } = await testRestore(context, installation, backup, {
    wal: toStop(backup),
    sound: Promise.resolve(true),
    stopped: async () => [],
    running: async ({ ask }) => {
      const asSuperuser = async <T>(work: (client: Client) => Promise<T>): Promise<T> => await ask(database, work);
      const { host, port } = await asSuperuser(async (client) => client);
      const connection = { host, port, user: record.role, database };
      try {
        files = await rehearse(task, { connection, asSuperuser }, { ...wanted, lockTimeoutMs, toolVersion });
      } catch (error) {
        task.signal.throwIfAborted();
        throw failedOnCopy(record.name, backup, toAppError(error));
      }
      return [];
    },
  });
  if (files !== undefined) return files;
  throw new AppError('REHEARSAL_FAILED', `backup ${backup.id} cannot be rehearsed on: ${checks[0]?.detail}`);
}

function failedOnCopy(name: InstanceName, { id }: Backup, error: AppError): AppError {
  const { message, output, hint, data } = error;
  return new AppError('REHEARSAL_FAILED', `on the copy from backup ${id}: ${message}`, {
    hint: `${name} itself was not touched${hint === undefined ? '' : `; ${hint}`}`,
    ...(output === undefined ? {} : { output }),
    ...(data === undefined ? {} : { data }),
    cause: error,
  });
}

/** What a person decides by. Locks that only keep schema changes apart are not told. */
function page(name: InstanceName, { backupId, backupFinishedAt, files }: Rehearsal): Text[] {
  const rows = files.map(({ version, name: title, seconds, alreadyApplied, rows: changed }) => [
    `${version}_${title}${alreadyApplied ? ' (done already)' : ''}`,
    `${seconds.toFixed(2)} s`,
    ...[changed?.inserted, changed?.updated, changed?.deleted].map((count) => String(count ?? '-')),
  ]);
  const effects = files.flatMap(({ version, locks, rewritten }) => [
    ...rewritten.map(({ relation, sizeBytes }) => ({
      line: `${version} writes ${relation} anew (${humanBytes(sizeBytes)})`,
    })),
    ...locks
      .filter(({ blocks }) => blocks === 'writes' || blocks === 'reads and writes')
      .map(({ relation, mode, heldSeconds, blocks }) => ({
        line: `${version} blocks ${blocks} of ${relation} for ${heldSeconds.toFixed(2)} s (${mode})`,
      })),
  ]);
  return [
    { line: `rehearsed on a copy of ${name}, from backup ${backupId} of ${moment(backupFinishedAt)}:` },
    { head: ['file', 'took', 'inserted', 'updated', 'deleted'], rows },
    ...(effects.length === 0 ? [{ line: 'no table is blocked or written anew' }] : effects),
  ];
}

import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { nowIso } from '../host/clock.ts';
import { fileSize, isFolder, sha256 } from '../host/files.ts';
import type { Operation } from '../operation.ts';
import type { Installation } from '../postgres/installations.ts';
import { sqlState } from '../postgres/sql.ts';
import { scratchFolder } from './scratch.ts';
import { type Backup, backupFolder, type Check, type Verification, writeBackup } from './catalogue.ts';
import { archiveOfBackup } from './repository.ts';
import { isForWantOfRoom, type RestoredServer, testRestore } from './test-restore.ts';
import { findDamaged, findGaps, readArchive } from './wal-check.ts';

/**
 * Tries a backup out, from its stored bytes to a server that answers, and writes into the catalogue what was found: only
 * here does a backup become `verified`.
 * @throws DISK_SPACE when there is no room to try; that says nothing about the backup, so nothing is written
 */
export async function verifyBackup(operation: Operation, installation: Installation, backup: Backup): Promise<Backup> {
  const { places, task } = operation;
  const checks: Check[] = [];
  checks.push(await task.step('check stored files', async () => await checkStoredFiles(operation, backup)));
  checks.push(checkArchivedWal(operation, backup));
  const restored = checks[0]?.ok ? await tryRestore(operation, installation, backup) : { checks: [] };
  checks.push(...restored.checks);
  const proven = restored.checks.length > 0 && checks.every((check) => check.ok);
  const verification: Verification = {
    state: proven ? 'verified' : 'failed',
    verifiedAt: nowIso(),
    restoreSeconds: restored.restoreSeconds ?? null,
    recoveredToLsn: restored.recoveredToLsn ?? null,
    checks,
  };
  const judged: Backup = { ...backup, state: verification.state, verification };
  writeBackup(backupFolder(places, backup.instance.name, backup.id), judged);
  return judged;
}

/** @throws BACKUP_NOT_PROVEN (7) naming what failed */
export function assertProven(backup: Backup): void {
  if (backup.state === 'verified') return;
  const failed = backup.verification?.checks.filter((check) => !check.ok) ?? [];
  const first = failed[0];
  throw new AppError(
    'BACKUP_NOT_PROVEN',
    `backup ${backup.id} is not proven: ${first ? `${first.name}: ${first.detail}` : 'not checked'}`,
    {
      hint: `take a new one: ./manage.ts --action backup --instance ${backup.instance.name}; this one is kept for inspection`,
      ...(failed.length > 1 ? { output: failed.map((check) => `${check.name}: ${check.detail}`).join('\n') } : {}),
      data: { id: backup.id, state: backup.state, verification: backup.verification },
    },
  );
}

/** Are the stored bytes still those that the backup was made of? */
async function checkStoredFiles({ places }: Operation, backup: Backup): Promise<Check> {
  const folder = backupFolder(places, backup.instance.name, backup.id);
  const damaged: string[] = [];
  for (const { name, sizeBytes, sha256: hash } of backup.files) {
    const file = join(folder, name);
    const size = fileSize(file);
    if (size === undefined) damaged.push(`${name} is missing`);
    else if (size !== sizeBytes) damaged.push(`${name} has ${size} bytes instead of ${sizeBytes}`);
    else if ((await sha256(file)) !== hash) damaged.push(`${name} is damaged (its SHA-256 has changed)`);
  }
  return {
    name: 'stored files',
    ok: damaged.length === 0,
    detail: damaged.join('; ') || `${backup.files.length} files, hashes agree`,
  };
}

/** Is all WAL there that a recovery from this backup, to its end and on to the newest, can ask for? */
function checkArchivedWal({ places }: Operation, backup: Backup): Check {
  const folder = archiveOfBackup(places, backup.instance.name, backup.instance.id);
  const check = { name: 'archived WAL' };
  if (!isFolder(folder)) return { ...check, ok: false, detail: `the archive ${folder} is missing` };
  const { needed, missing } = findGaps(backup, readArchive(folder, backup.segmentBytes));
  const damaged = findDamaged(folder, needed, backup.segmentBytes, backup.instance.systemIdentifier);
  const wrong = [...missing.map((name) => `${name} is missing`), ...damaged];
  const some = wrong.length > 5 ? [...wrong.slice(0, 5), `and ${wrong.length - 5} more`] : wrong;
  return { ...check, ok: wrong.length === 0, detail: some.join('; ') || `${needed.length} segments without a gap` };
}

interface Tried {
  checks: Check[];
  restoreSeconds?: number;
  recoveredToLsn?: string;
}

async function tryRestore(operation: Operation, installation: Installation, backup: Backup): Promise<Tried> {
  try {
    return await testRestore(operation, installation, backup, scratchFolder(operation, backup.id), async (server) => ({
      restoreSeconds: server.restoreSeconds,
      recoveredToLsn: server.recoveredToLsn,
      checks: [
        {
          name: 'manifest',
          ok: true,
          detail: 'every file agrees with the checksum in the manifest; the WAL can be read',
        },
        { name: 'recovery', ok: true, detail: `a server started and recovered to ${server.recoveredToLsn}` },
        checkIdentity(server, backup),
        ...(await checkDatabases(server)),
      ],
    }));
  } catch (error) {
    const aboutBackup = error instanceof AppError || sqlState(error) !== undefined;
    if (!aboutBackup || operation.task.signal.aborted || isForWantOfRoom(error)) throw error;
    const { message, output } = error as AppError;
    // A server that will not start has said why in the message; a program says it in the last line of its output.
    const words =
      (error as AppError).code === 'PROGRAM_FAILED'
        ? output
            ?.split('\n')
            .filter((line) => line !== '')
            .at(-1)
        : undefined;
    return { checks: [{ name: 'test restore', ok: false, detail: words ? `${message}: ${words}` : message }] };
  }
}

function checkIdentity({ systemIdentifier }: RestoredServer, { instance }: Backup): Check {
  const ok = systemIdentifier === instance.systemIdentifier;
  return {
    name: 'identity',
    ok,
    detail: ok ? `system ${systemIdentifier}` : `is system ${systemIdentifier}, not ${instance.systemIdentifier}`,
  };
}

/** Every database must let us in, and its catalogue must be readable to the last row. */
async function checkDatabases({ ask }: RestoredServer): Promise<Check[]> {
  const names = await ask('postgres', async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'select datname as name from pg_database where datallowconn order by 1',
    );
    return rows.map((row) => row.name);
  });
  const checks: Check[] = [];
  for (const name of names) {
    const detail = await ask(name, async (client) => {
      const { rows } = await client.query<{ relations: string; attributes: string; bytes: string }>(
        `select (select count(*) from pg_class) as relations, (select count(*) from pg_attribute) as attributes,
                (select coalesce(sum(pg_relation_size(oid)), 0) from pg_class where relkind in ('r', 'm')) as bytes`,
      );
      return `${rows[0]?.relations} relations, ${rows[0]?.attributes} attributes, ${rows[0]?.bytes} bytes in tables`;
    });
    checks.push({ name: `database ${name}`, ok: true, detail });
  }
  return checks;
}

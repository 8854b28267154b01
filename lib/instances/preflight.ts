import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { exists, freeBytes } from '../host/files.ts';
import { removeFile } from '../host/folders.ts';
import { commandLine } from '../host/processes.ts';
import { poll } from '../host/wait.ts';
import { describeListener } from '../ports/leases.ts';
import { diagnose, type Diagnosis } from '../postgres/diagnosis.ts';
import type { Installation } from '../postgres/installations.ts';
import { judgeLockFile, type LockFile, socketRemnant } from '../postgres/lock-file.ts';
import { majorOf } from '../postgres/postmaster.ts';
import { settingLines, settingPlace } from '../postgres/setting-place.ts';
import type { Task } from '../task.ts';
import { assertAccess, explainingAccess } from './access.ts';
import type { InstancePaths } from './places.ts';
import type { InstanceRecord } from './record.ts';

type About = Pick<InstanceRecord, 'name' | 'port'>;

/**
 * What can be known before a server is started, said without starting it.
 * @throws DATA_PERMISSIONS, INSTANCE_BROKEN, WRONG_VERSION, DATA_IN_USE, STALE_LOCK_FILE
 */
export async function assertStartable(
  task: Task,
  { major, bindir }: Installation,
  paths: InstancePaths,
  about: About,
): Promise<void> {
  const { data } = paths;
  const restore = `bring it back from its backup: ./manage.ts restore ${about.name}`;
  assertAccess(about.name, paths);
  if (!exists(data)) throw new AppError('INSTANCE_BROKEN', `the data directory ${data} is missing`, { hint: restore });
  const made = explainingAccess(about.name, paths, () => majorOf(data));
  if (made !== undefined && made !== major) {
    throw new AppError(
      'WRONG_VERSION',
      `the data was made by PostgreSQL ${made}, the programs in ${bindir} are ${major}`,
      {
        hint: `${restore} — the programs for what is there now: apt-get install postgresql-${made}`,
      },
    );
  }
  await clearLockFile(task, paths, about);
}

/**
 * A port that is set behind ours (ALTER SYSTEM writes postgresql.auto.conf, which is read last) would win, and no lease holds it.
 * @throws BAD_CONFIGURATION naming the line
 */
export function assertOwnPort({ data }: InstancePaths, { name, port }: About): void {
  const set = settingLines(data).findLast((line) => line.name === 'port');
  if (set === undefined || !/^\d+$/.test(set.value) || Number(set.value) === port) return;
  const { file, line, value } = set;
  throw new AppError(
    'BAD_CONFIGURATION',
    `${file}, line ${line} sets port ${value}, and the port of ${name} is ${port}`,
    {
      hint: `take that line out, or give the instance that port: ./manage.ts start ${name} --port ${value}`,
    },
  );
}

/** Takes away the lock file of a server that is proven dead, where the server itself would stop at it. */
async function clearLockFile(task: Task, paths: InstancePaths, about: About): Promise<void> {
  const { data } = paths;
  const judge = (): LockFile => explainingAccess(about.name, paths, () => judgeLockFile(data));
  const settled = (): LockFile | undefined => {
    const found = judge();
    return found.kind === 'orphans' ? undefined : found;
  };
  const lock = (await poll(settled, { signal: task.signal, timeoutMs: 5000 })) ?? judge();
  switch (lock.kind) {
    case 'free':
      return clearSocketLock(task, paths, about);
    case 'server':
    case 'orphans':
      throw dataInUse(about, lock.pid);
    case 'unproven':
      throw new AppError(
        'STALE_LOCK_FILE',
        `${data}/postmaster.pid names process ${lock.pid} (${commandOf(lock.pid)}), of which nobody can say here that it is no server of this data`,
        {
          hint: `look at it (ps -fp ${lock.pid}); if it is none: rm ${data}/postmaster.pid && ./manage.ts start ${about.name}`,
        },
      );
    case 'remnant':
      task.warn(`the lock file of a dead server was in the way and has been removed: it named ${lock.names}`);
      removeFile(join(data, 'postmaster.pid'));
      return clearSocketLock(task, paths, about);
  }
}

/** The same for the socket, in a folder that is this instance's alone. */
function clearSocketLock(task: Task, { socket }: InstancePaths, { port }: About): void {
  const file = join(socket, `.s.PGSQL.${port}.lock`);
  const names = socketRemnant(file);
  if (names === undefined) return;
  task.warn(`the socket's lock file of a dead server was in the way and has been removed: it named ${names}`);
  removeFile(file);
}

function commandOf(pid: number): string {
  return commandLine(pid).join(' ').slice(0, 120);
}

/** A server on the data that is not the one we know. */
export function dataInUse({ name }: Pick<About, 'name'>, pid: number, port?: number): AppError {
  const where = port === undefined ? '' : `, on port ${port}`;
  return new AppError(
    'DATA_IN_USE',
    `another server (process ${pid}${where}) runs on the data of ${name}: ${commandOf(pid)}`,
    {
      hint:
        port === undefined
          ? `stop it the way it was started (by hand: kill -INT ${pid}), then: ./manage.ts start ${name}`
          : `./manage.ts stop ${name} && ./manage.ts start ${name}`,
      data: { pid },
    },
  );
}

/** What the server's words mean for this instance: who holds the port, where the setting stands, whether the disk is full. */
export function explainStart(paths: InstancePaths, { name, port }: About, words: string): Diagnosis | undefined {
  const known = diagnose(words, { name, dataDirectory: paths.data }) ?? mutelyFull(paths, name);
  if (known?.code === 'PORT_IN_USE' && known.port === port) {
    return { ...known, cause: `${known.cause}: ${describeListener(port)}` };
  }
  const setting = known?.setting;
  const place = setting === undefined ? undefined : settingPlace(paths.data, setting);
  if (known === undefined || place === undefined) return known;
  const { file, line } = place;
  const hint = known.hint.replace(`${paths.data}/postgresql.conf`, `line ${line} of ${file}`);
  return { ...known, cause: `${file}, line ${line}: ${known.cause}`, hint };
}

/** On a disk without a free page a server cannot even write down why it ended. */
function mutelyFull({ data, log }: InstancePaths, name: string): Diagnosis | undefined {
  const full = [data, log].find((folder) => exists(folder) && freeBytes(folder) < 8192);
  if (full === undefined) return undefined;
  return {
    code: 'DISK_SPACE',
    cause: `the disk of ${full} is full`,
    hint: `free some space (df -h ${full}), then: ./manage.ts start ${name}`,
  };
}

import type { Installation } from '../postgres/installations.ts';
import { checkPages } from '../postgres/pages.ts';
import { lastSegmentNumber, segmentName } from '../postgres/wal.ts';
import { whyWalEnds } from '../postgres/waldump.ts';
import type { Task } from '../task.ts';
import { checkRelations } from './amcheck.ts';
import type { Beat } from './beat.ts';
import type { Backup, Check } from './catalogue.ts';
import { countCatalogue, differences, eachDatabase } from './census.ts';
import { readHeartbeat } from './heartbeat.ts';
import type { VerifyOptions } from './levels.ts';
import type { RestoredServer } from './test-restore.ts';
import { checkInvariants } from './verify-sql.ts';
import type { WalWanted } from './wal-wanted.ts';

export interface Subject {
  installation: Installation;
  backup: Backup;
  options: VerifyOptions;
  beat: Beat;
  wal: WalWanted;
  task: Task;
}

/** All that is asked of a test restore while its server runs. */
export async function examineRunning(server: RestoredServer, subject: Subject): Promise<Check[]> {
  const { backup, options, beat, task } = subject;
  const thorough = options.level !== 'quick';
  const checks = [
    { name: 'manifest', ok: true, detail: 'every file agrees with the checksum in the manifest; the WAL can be read' },
    { name: 'recovery', ok: true, detail: `a server started and recovered to ${server.recoveredToLsn}` },
    checkIdentity(server, backup),
    ...(options.level === 'full' ? [await checkTail(server, subject)] : []),
    ...(await checkDatabases(server, subject)),
    ...(thorough ? [await checkHeartbeat(server, beat)] : []),
  ];
  if (thorough) {
    const databases = await eachDatabase(server.ask, async () => undefined);
    for (const name of databases.keys()) checks.push(await checkRelations(server.ask, name, options.level, task));
  }
  const { sql } = options;
  if (sql !== undefined) {
    checks.push(await server.ask(backup.instance.database, async (client) => await checkInvariants(client, sql)));
  }
  return checks;
}

/** Every page of the copy, by its checksum; it has stopped by then. */
export async function examineStopped(installation: Installation, data: string, task: Task): Promise<Check> {
  const check = { name: 'page checksums' };
  const { checksums, files, blocks, wrong } = await task.step(
    'check every page',
    async () => await checkPages(installation, data, task),
  );
  if (!checksums) {
    return { ...check, ok: false, possible: false, detail: 'the instance was made without data checksums' };
  }
  const detail = wrong.length === 0 ? `${blocks} pages in ${files} files` : wrong.slice(0, 5).join('; ');
  return { ...check, ok: wrong.length === 0, detail };
}

function checkIdentity({ systemIdentifier }: RestoredServer, { instance }: Backup): Check {
  const ok = systemIdentifier === instance.systemIdentifier;
  const detail = ok ? `system ${systemIdentifier}` : `is system ${systemIdentifier}, not ${instance.systemIdentifier}`;
  return { name: 'identity', ok, detail };
}

/** The server cannot tell a hole, or a damaged record, from the end of the WAL: what it reached is compared with what there is. */
async function checkTail({ recoveredToLsn, archivedWal, heldBy }: RestoredServer, subject: Subject): Promise<Check> {
  const { installation, backup, wal, task } = subject;
  const { timeline, lastNumber } = wal;
  const check = { name: 'end of the archive' };
  if (heldBy !== undefined) {
    const detail = `replayed to ${recoveredToLsn}; the WAL after that makes a tablespace in ${heldBy.folder}, which a copy on this host must not touch: take a new backup`;
    return { ...check, ok: false, possible: false, detail };
  }
  const reached = lastSegmentNumber(recoveredToLsn, backup.segmentBytes);
  if (lastNumber !== undefined && reached < lastNumber) {
    const newest = segmentName({ timeline, number: lastNumber }, backup.segmentBytes);
    return { ...check, ok: false, detail: `the recovery ended at ${recoveredToLsn}; the archive goes on to ${newest}` };
  }
  const received = lastNumber !== undefined && reached > lastNumber;
  let why: string | undefined;
  for await (const reach of archivedWal({ timeline, from: recoveredToLsn })) {
    why = await whyWalEnds(installation, reach, task);
  }
  if (received) {
    // It ends where the receiver was at that moment, maybe within a record.
    const detail = `replayed to ${recoveredToLsn} on timeline ${timeline}, beyond the archive, in what was received of the next segments`;
    return { ...check, ok: true, detail };
  }
  const detail = why ?? `replayed to ${recoveredToLsn} on timeline ${timeline}, where it ends`;
  return { ...check, ok: why === undefined, detail };
}

/** Every database must let us in, and its catalogue hold what it held when the backup was taken. */
async function checkDatabases({ ask }: RestoredServer, { backup, wal }: Subject): Promise<Check[]> {
  const found = await eachDatabase(ask, countCatalogue);
  const checks = [...found].map(([database, { counts }]): Check => {
    const wanted = wal.end === 'tail' ? undefined : backup.census?.find((one) => one.database === database)?.counts;
    const wrong = wanted ? differences(wanted, counts) : [];
    const told = `${counts.relations} relations, ${counts.columns} columns, ${counts.functions} functions`;
    const detail = wanted ? `${told}, as when it was taken` : `${told} (not compared: they changed since)`;
    return { name: `database ${database}`, ok: wrong.length === 0, detail: wrong.join('; ') || detail };
  });
  const settled = wal.end === 'tail' ? [] : (backup.census ?? []).filter(({ counts }) => counts !== null);
  const gone = settled.filter(({ database }) => !found.has(database));
  const missing = gone.map(({ database }): Check => ({
    name: `database ${database}`,
    ok: false,
    detail: 'is missing',
  }));
  return [...checks, ...missing];
}

async function checkHeartbeat({ ask, heldBy }: RestoredServer, beat: Beat): Promise<Check> {
  const check = { name: 'heartbeat' };
  if (beat.failed !== undefined) return { ...check, ok: false, detail: beat.failed };
  const { writtenAt } = beat;
  const missing = heldBy === undefined ? beat.missing : 'the recovery had to end before it';
  if (writtenAt === undefined || missing !== undefined) {
    return { ...check, ok: false, possible: false, detail: missing ?? 'none was written' };
  }
  const found = await ask('postgres', readHeartbeat);
  // A later one is as good: another verification may have written it meanwhile.
  const ok = found !== undefined && found >= writtenAt;
  const safe = `written ${writtenAt}, in the repository ${beat.rpoSeconds} s later`;
  const lost = `the row written ${writtenAt} did not come back${found === undefined ? '' : `; the newest is of ${found}`}`;
  return { ...check, ok, detail: ok ? safe : lost };
}

import { type Backup, listBackups, stagingFolder, unfinishedBackups } from '../backups/catalogue.ts';
import { nowMs } from '../host/clock.ts';
import { folderBytes, listFolder } from '../host/files.ts';
import { homesElsewhere } from '../instances/home.ts';
import { sameName } from '../instances/names.ts';
import type { Places } from '../instances/places.ts';
import type { InstanceRecord } from '../instances/record.ts';
import { readJournal } from '../journal.ts';
import { humanBytes } from '../tuning/sizes.ts';
import { type Finding, host, hourMs, humanAge, manage, plural, quoted } from './finding.ts';

export interface BackupFacts {
  name: string;
  createdAt: string;
  /** Oldest first. */
  backups: readonly Pick<Backup, 'id' | 'state' | 'finishedAt'>[];
  /** Folders of backups that nobody writes any more and that no unfinished operation names. */
  leftovers: readonly string[];
  nowMs: number;
}

export function observeBackups(places: Places, { name, createdAt }: InstanceRecord): BackupFacts {
  // Read first: what ends in between is not left over.
  const staging = unfinishedBackups(places, name);
  const { running, unfinished } = readJournal(places.journal);
  const known = [...running, ...unfinished].some(({ instance }) => sameName(instance, name));
  const there = new Set(known ? [] : unfinishedBackups(places, name));
  return {
    name,
    createdAt,
    backups: listBackups(places, name),
    leftovers: staging.filter((id) => there.has(id)).map((id) => stagingFolder(places, name, id)),
    nowMs: nowMs(),
  };
}

/** A night's backup, and two hours for it. */
const tooOldMs = 26 * hourMs;

export function judgeBackups(facts: BackupFacts): Finding[] {
  const { name, leftovers } = facts;
  const left = leftovers.map((folder): Finding => {
    const cause = `${folder} is of a backup that was never finished; nothing uses it.`;
    const remedy = `rm -r ${quoted(folder)}`;
    return { code: 'BACKUP_LEFTOVER', severity: 'warning', subject: name, cause, remedy };
  });
  return [...judgeNewest(facts), ...left];
}

function judgeNewest({ name, createdAt, backups, nowMs: now }: BackupFacts): Finding[] {
  const newest = backups.at(-1);
  if (newest === undefined) {
    const ageMs = now - Date.parse(createdAt);
    const severity = ageMs > tooOldMs ? 'critical' : 'info';
    const cause = `no backup has been taken since the instance was made ${humanAge(ageMs)} ago.`;
    return [{ code: 'NO_BACKUP', severity, subject: name, cause, remedy: manage('backup', name) }];
  }
  const findings: Finding[] = [];
  const add = (finding: Omit<Finding, 'subject'>): void => void findings.push({ ...finding, subject: name });
  const verified = backups.findLast(({ state }) => state === 'verified');
  if (newest.state === 'failed') {
    const cause = `the newest backup, ${newest.id}, is not usable: its test restore failed${verified ? `; the newest proven one is ${verified.id}` : ''}.`;
    add({ code: 'BACKUP_FAILED', severity: 'critical', cause, remedy: manage('backup', name) });
  }
  if (verified === undefined) {
    const usable = backups.findLast(({ state }) => state === 'complete');
    const cause = `none of its ${plural(backups.length, 'backup')} was proven by a test restore.`;
    const remedy = usable ? manage('verify-backup', name, `--backup-name ${usable.id}`) : manage('backup', name);
    add({ code: 'BACKUP_UNPROVEN', severity: 'warning', cause, remedy });
    return findings;
  }
  const ageMs = now - Date.parse(verified.finishedAt);
  if (ageMs > tooOldMs) {
    const cause = `the newest proven backup, ${verified.id}, is ${humanAge(ageMs)} old (26 h are a day and the time to take one).`;
    const severity = ageMs > 7.5 * 24 * hourMs ? 'critical' : 'warning';
    add({ code: 'BACKUP_OLD', severity, cause, remedy: manage('backup', name) });
  }
  return findings;
}

/** What waits in quarantine, and what work of the moment (or of killed operations) takes up. */
export function measureKept(places: Places): Finding[] {
  const quarantines = new Set([places, ...homesElsewhere(places)].map(({ quarantine }) => quarantine));
  const kept = [
    ...[...quarantines].map((folder) => {
      return { code: 'QUARANTINE_SIZE', folder, what: 'replaced and destroyed data waits in quarantine' };
    }),
    { code: 'SCRATCH_SIZE', folder: places.scratch, what: 'work of the moment lies in the scratch folder' },
  ];
  return kept.flatMap(({ code, folder, what }): Finding[] => {
    const entries = listFolder(folder).length;
    if (entries === 0) return [];
    const cause = `${what}: ${plural(entries, 'folder')}, ${humanBytes(folderBytes(folder))}.`;
    return [{ code, severity: 'info', subject: host, cause, remedy: `du -sh ${quoted(folder)}/*` }];
  });
}

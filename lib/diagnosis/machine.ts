import type { Installation } from '../postgres/installations.ts';
import { budgetOf, budgetWords } from '../tuning/budget.ts';
import { humanBytes, MB } from '../tuning/sizes.ts';
import type { HostFacts, Neighbour } from '../tuning/types.ts';
import { type Finding, host, manage, plural, quoted } from './finding.ts';

/** What was seen of the machine; undefined where this system does not say. */
export interface MachineFacts {
  installations: readonly Installation[];
  /** Folders with a `postgres` in them that miss other programs. */
  incomplete: readonly string[];
  /** Programs of the system that backups need and that were not found. */
  missing: readonly string[];
  account: { name: string; uid: number };
  /** Folders that the account cannot write to. */
  unwritable: readonly string[];
  openFiles: number | undefined;
  processes: number | undefined;
  sharedMemory: { sizeBytes: number; freeBytes: number } | undefined;
  /** System V segments: one is needed for each server. */
  segments: { used: number; max: number } | undefined;
  host: HostFacts;
  /** What all instances may commit, of the host's memory. */
  budgetShare: number;
  /** Every instance of this host, of all roots and users. */
  committed: readonly Neighbour[];
  /** Processes that all instances of the root may have together. */
  processesNeeded: number;
  removeIpc: boolean;
  overcommit: { mode: number; limitBytes: number; committedBytes: number } | undefined;
}

export function judgeMachine(facts: MachineFacts): Finding[] {
  return [...judgePrograms(facts), ...judgeLimits(facts), ...judgeSharedMemory(facts), ...judgeMemory(facts)];
}

function finding(code: string, severity: Finding['severity'], cause: string, remedy: string): Finding {
  return { code, severity, subject: host, cause, remedy };
}

function judgePrograms({ installations, incomplete, missing, account, unwritable }: MachineFacts): Finding[] {
  const findings = incomplete.map((folder) =>
    finding(
      'PROGRAMS_INCOMPLETE',
      'info',
      `${folder} has a server but not all its programs, so no instance can be run by it.`,
      `apt-get install --reinstall postgresql-${/\d+/.exec(folder)?.[0] ?? ''}`,
    ),
  );
  if (installations.length === 0) {
    const cause = 'no complete PostgreSQL 13 to 18 was found on this machine.';
    findings.push(finding('NO_POSTGRES', 'critical', cause, 'apt-get install postgresql'));
  }
  if (missing.includes('tar')) {
    const cause = 'tar was not found, without which no backup can be unpacked.';
    findings.push(finding('PROGRAM_MISSING', 'critical', cause, 'apt-get install tar'));
  }
  if (missing.includes('zstd') && missing.includes('lz4')) {
    const cause = 'neither zstd nor lz4 was found: backups are compressed by gzip, which is slower.';
    findings.push(finding('NO_FAST_COMPRESSION', 'info', cause, 'apt-get install zstd lz4'));
  }
  for (const folder of unwritable) {
    const cause = `the account ${account.name} can make no files in ${folder}.`;
    findings.push(finding('FOLDER_NOT_WRITABLE', 'critical', cause, `ls -ld ${quoted(folder)}`));
  }
  return findings;
}

/** A server wants 1000 files a process (max_files_per_process) and some of its own. */
const filesWanted = 1100;

function judgeLimits({ openFiles, processes, processesNeeded, account, removeIpc }: MachineFacts): Finding[] {
  const findings: Finding[] = [];
  if (openFiles !== undefined && openFiles < filesWanted) {
    const cause = `a process may open ${openFiles} files here; a server wants ${filesWanted}.`;
    findings.push(finding('OPEN_FILES_LOW', openFiles < 256 ? 'critical' : 'warning', cause, 'ulimit -n 65536'));
  }
  if (processes !== undefined && processes < processesNeeded) {
    const cause = `${account.name} may have ${processes} processes here; all instances with all their connections need ${processesNeeded}.`;
    findings.push(finding('PROCESSES_LOW', 'warning', cause, `ulimit -u ${processesNeeded * 2}`));
  }
  // systemd spares the accounts of the system, which are those below 1000 (logind.conf(5)).
  if (removeIpc && account.uid >= 1000) {
    const cause = `systemd removes the shared memory of ${account.name} when its last session ends (RemoveIPC=yes in logind.conf), which crashes servers.`;
    findings.push(finding('REMOVE_IPC', 'warning', cause, `loginctl enable-linger ${account.name}`));
  }
  return findings;
}

function judgeSharedMemory({ sharedMemory, segments, committed }: MachineFacts): Finding[] {
  const findings: Finding[] = [];
  if (sharedMemory !== undefined) {
    const { sizeBytes, freeBytes } = sharedMemory;
    if (freeBytes < sizeBytes / 10) {
      const cause = `/dev/shm has ${humanBytes(freeBytes)} free of ${humanBytes(sizeBytes)}: parallel queries fail when it is full.`;
      findings.push(finding('SHARED_MEMORY_FULL', 'critical', cause, 'ls -lS /dev/shm'));
    } else if (sizeBytes < 128 * MB) {
      const cause = `/dev/shm is ${humanBytes(sizeBytes)} (the default of containers): parallel hash joins need more.`;
      findings.push(finding('SHARED_MEMORY_SMALL', 'warning', cause, 'mount -o remount,size=1G /dev/shm'));
    }
  }
  if (segments !== undefined && segments.max - segments.used < Math.max(2, segments.max / 10)) {
    const cause = `${segments.used} of ${segments.max} shared memory segments of this kernel are used; each of the ${plural(committed.length, 'instance')} needs one.`;
    findings.push(finding('SEGMENTS_LOW', 'warning', cause, `sysctl -w kernel.shmmni=${segments.max * 2}`));
  }
  return findings;
}

function judgeMemory({ host: facts, budgetShare, committed, overcommit }: MachineFacts): Finding[] {
  const findings: Finding[] = [];
  const budget = budgetOf({ host: facts, others: committed, budgetShare });
  const { budgetBytes, othersBytes } = budget;
  if (othersBytes > budgetBytes) {
    const largest = committed.toSorted((a, b) => b.committedBytes - a.committedBytes)[0]?.name;
    const cause =
      `all instances together may take ${humanBytes(othersBytes)}, more than the budget of ${humanBytes(budgetBytes)} ` +
      `(${budgetWords(budget)} or its control group); the largest is ${largest}.`;
    const severity = othersBytes > facts.memoryBytes ? 'critical' : 'warning';
    findings.push(finding('MEMORY_OVERCOMMITTED', severity, cause, manage('stop', largest)));
  }
  if (overcommit?.mode === 1) {
    const cause = 'vm.overcommit_memory is 1: the kernel promises memory it has not, and ends servers when it is gone.';
    findings.push(finding('OVERCOMMIT_ALWAYS', 'info', cause, 'sysctl -w vm.overcommit_memory=2'));
  }
  if (overcommit?.mode === 2 && overcommit.committedBytes > overcommit.limitBytes * 0.9) {
    const { committedBytes, limitBytes } = overcommit;
    const cause = `${humanBytes(committedBytes)} of the ${humanBytes(limitBytes)} that may be promised (vm.overcommit_memory = 2) are: the next query may get none.`;
    findings.push(finding('OVERCOMMIT_LIMIT', 'warning', cause, 'sysctl vm.overcommit_ratio'));
  }
  return findings;
}

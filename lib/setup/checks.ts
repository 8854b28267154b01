import { judgeDisks } from '../diagnosis/disk.ts';
import { judgeMachine } from '../diagnosis/machine.ts';
import { humanBytes } from '../tuning/sizes.ts';
import type { SetupFacts } from './facts.ts';
import type { Need } from './packages.ts';

/** One thing that was looked at. */
export interface Check {
  name: string;
  /** `missing`: it is not there. `low`: it is, and there is too little of it. */
  state: 'ok' | 'missing' | 'low';
  /** Whether nothing can be done without it. */
  required: boolean;
  /** What was found, or what cannot be done without. */
  found: string;
  /** What a package would bring. */
  need?: Need;
}

/** Pure: what this machine has of what we need, and what it lacks. */
export function judgeSetup(facts: SetupFacts): Check[] {
  return [
    ok('Node.js', facts.node),
    ok('account', `${facts.account.name} (uid ${facts.account.uid}) owns the data and runs the servers`),
    judgeFolders(facts),
    ...judgePostgres(facts),
    judgeProgram(facts, 'tar', 'no backup can be unpacked without it', true),
    judgeProgram(facts, 'zstd', 'backups and WAL are compressed by slower means'),
    judgeProgram(facts, 'lz4', 'another fast way to compress'),
    facts.pgbouncer === undefined
      ? missing('pgbouncer', 'no poolers without it', 'pgbouncer')
      : ok('pgbouncer', facts.pgbouncer),
    facts.scheduler === undefined
      ? missing('cron', 'nothing calls backups, or starts instances with the machine', 'cron')
      : ok(facts.scheduler, 'calls backups, and starts instances with the machine'),
    facts.locale === false
      ? {
          name: 'locale',
          state: 'missing',
          required: false,
          found: 'no C.UTF-8: give create a --locale of `locale -a`',
        }
      : ok('locale', facts.locale === undefined ? 'nobody says which there are' : 'C.UTF-8'),
    ...judgeRoom(facts),
  ];
}

function ok(name: string, found: string): Check {
  return { name, state: 'ok', required: false, found };
}

function missing(name: string, found: string, need: Need, required = false): Check {
  return { name, state: 'missing', required, found, need };
}

function judgeFolders({ folders, machine, account }: SetupFacts): Check {
  const absent = folders.filter(({ there }) => !there).map(({ path }) => path);
  const [locked] = machine.unwritable;
  if (absent.length > 0) return { name: 'folders', state: 'missing', required: false, found: absent.join(', ') };
  if (locked !== undefined) {
    return { name: 'folders', state: 'missing', required: true, found: `${account.name} cannot write to ${locked}` };
  }
  return ok('folders', folders[0]?.path ?? '');
}

function judgePostgres({ installations, lacking, ours }: SetupFacts): Check[] {
  const [newest] = installations;
  if (newest === undefined) return [missing('PostgreSQL', '13 to 18: no instance without it', 'postgresql', true)];
  const each = installations.map(({ version, bindir }) => {
    return `${version.split(' ')[0]} ${bindir.startsWith(`${ours}/`) ? '(brought by npm)' : `in ${bindir}`}`;
  });
  const programs = lacking.filter((name) => name.startsWith('p') && name !== 'pg_stat_statements');
  const extensions = lacking.filter((name) => !programs.includes(name));
  return [
    ok('PostgreSQL', each.join(', ')),
    programs.length === 0
      ? ok('clients', 'psql, pg_dump, pg_restore')
      : missing('clients', `no ${programs.join(', ')}: no psql, no logical dumps`, 'postgresql'),
    extensions.length === 0
      ? ok('contrib', 'amcheck, pg_stat_statements')
      : missing('contrib', `no ${extensions.join(', ')}: backups are examined less deeply`, 'postgresql'),
  ];
}

function judgeProgram({ missing: absent }: SetupFacts, name: 'tar' | 'zstd' | 'lz4', why: string, required = false) {
  return absent.includes(name) ? missing(name, why, name, required) : ok(name, 'found');
}

/** What diagnose says of memory, disks and limits, a line each; where it says nothing, what there is. */
function judgeRoom({ machine, disks }: SetupFacts): Check[] {
  const { host, budgetShare, sharedMemory, openFiles, processes } = machine;
  const findings = [...judgeMachine(machine), ...judgeDisks(disks)].filter(({ severity }) => severity !== 'info');
  const low = (name: string, codes: RegExp, well: string): Check => {
    const found = findings.filter(({ code }) => codes.test(code));
    if (found.length === 0) return ok(name, well);
    const said = found.map(({ cause, remedy }) => `${cause} ${remedy}`).join(' ');
    return { name, state: 'low', required: false, found: said };
  };
  const ofMemory = humanBytes(host.memoryBytes);
  const count = (limit: number | undefined): string => (limit === undefined ? 'any number of' : String(limit));
  return [
    low('memory', /^MEMORY|OVERCOMMIT/, `${ofMemory}, ${Math.round(budgetShare * 100)} % of it for all instances`),
    low('/dev/shm', /^SHARED_MEMORY|SEGMENTS/, sharedMemory ? humanBytes(sharedMemory.sizeBytes) : 'none here'),
    low('limits', /^OPEN_FILES|PROCESSES|REMOVE_IPC/, `${count(openFiles)} files, ${count(processes)} processes`),
    low(
      'disk',
      /^DISK|INODES/,
      disks.map(({ what, room }) => `${humanBytes(room.freeBytes)} free for ${what}`).join(', '),
    ),
  ];
}

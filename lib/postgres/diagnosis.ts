import type { ErrorCode } from '../errors.ts';

/** The server that a diagnosis is about, for the commands that its hint names. */
export interface Subject {
  name: string;
  dataDirectory: string;
}

/** Why a server did not start. */
export interface Diagnosis {
  code: ErrorCode;
  /** The cause, in words. */
  cause: string;
  /** What to type next. */
  hint: string;
  /** The setting that is at fault, where the server does not say in which file and line it stands. */
  setting?: string;
  /** The port that was refused. */
  port?: number;
}

/** One known cause: how the server tells it, and what to say and do about it. */
export interface Row {
  code: ErrorCode;
  /** What the server says; the name of the setting at fault may be the group `setting`, a port `port`. */
  says: RegExp;
  cause: (...parts: string[]) => string;
  hint: (subject: Subject, ...parts: string[]) => string;
}

const start = ({ name }: Subject): string => `./manage.ts start ${name}`;
const restore = ({ name }: Subject): string => `bring it back from its backup: ./manage.ts restore ${name}`;
const configuration = ({ dataDirectory }: Subject): string => `${dataDirectory}/postgresql.conf`;
const correct = (subject: Subject, file = configuration(subject)): string => `correct ${file}, then: ${start(subject)}`;
const lowerMemory = (subject: Subject): string =>
  `lower shared_buffers or max_connections (or set huge_pages = try) in ${configuration(subject)}, then: ${start(subject)}`;
const repairOwner = (subject: Subject): string => `${start(subject)} --fix-permissions`;

/**
 * What is known, the more telling first: the first row that the server's words match is the cause. Each comes with the
 * messages of PostgreSQL 13 to 18 that it is known by. To add one: a row here, its code in lib/errors.ts, its lines in
 * tests/unit/postgres/diagnosis.test.ts and its making in tests/integration.
 */
export const table: readonly Row[] = [
  {
    code: 'PORT_IN_USE',
    says: /could not bind \S+ address "([^"]+)": Address already in use(?:[\s\S]*? on port (?<port>\d+))?[\s\S]*could not create any TCP\/IP sockets/,
    cause: (address, port) => `${port ? `port ${port}` : 'its port'} at ${address} is taken`,
    hint: ({ name }) => `end that program, or move the instance: ./manage.ts start ${name} --port auto`,
  },
  {
    code: 'PORT_IN_USE',
    says: /lock file "([^"]*\.s\.PGSQL\.(?<port>\d+)\.lock)" already exists(?:[\s\S]*?\(PID (\d+)\))?/,
    cause: (file, port, pid) =>
      `another server${pid ? ` (process ${pid})` : ''} holds the socket of port ${port} (${file})`,
    hint: ({ name }) => `end that server, or move the instance: ./manage.ts start ${name} --port auto`,
  },
  {
    code: 'DATA_IN_USE',
    says: /lock file "postmaster\.pid" already exists(?:[\s\S]*?\(PID (\d+)\))?/,
    cause: (pid) => `another server${pid ? ` (process ${pid})` : ''} runs on the same data`,
    hint: ({ name }) => `./manage.ts status ${name}, and stop it with: ./manage.ts stop ${name}`,
  },
  {
    code: 'DATA_IN_USE',
    says: /pre-existing shared memory block \(key \d+, ID (\d+)\) is still in use/,
    cause: (id) => `processes of another or an earlier server still run on the same data (shared memory ${id})`,
    hint: (subject) =>
      `end them, in whichever container they are (pgrep -af ${subject.dataDirectory}; docker ps), then: ${start(subject)}`,
  },
  {
    code: 'STALE_LOCK_FILE',
    says: /(?:bogus data in )?lock file "(postmaster\.pid)"(?: is empty|: ")/,
    cause: (file) => `the lock file ${file} is a remnant that names no process`,
    hint: (subject) => `if no server uses this data: rm ${subject.dataDirectory}/postmaster.pid && ${start(subject)}`,
  },
  {
    code: 'DATA_PERMISSIONS',
    says: /data directory "([^"]+)" has (invalid permissions|wrong ownership|group or world access)/,
    cause: (directory, what) => `the data directory ${directory} has ${what}`,
    hint: repairOwner,
  },
  {
    code: 'FILE_ACCESS',
    says: /could not (?:open|create) (?:log file|lock file|directory) "(\/[^"]+)": (Permission denied|No such file or directory|Read-only file system)/,
    cause: (file, why) => `${file}: ${why}`,
    hint: (_subject, file = '') => `check the owner and mode with: ls -ld ${file.replace(/\/[^/]*$/, '')}`,
  },
  {
    code: 'SHARED_MEMORY',
    says: /could not open shared memory segment "[^"]+": (Permission denied|Read-only file system)/,
    cause: (why) => `its account may make no shared memory in /dev/shm: ${why}`,
    hint: (subject) => `open that folder (mount -o remount,rw,mode=1777 /dev/shm), then: ${start(subject)}`,
  },
  {
    code: 'DATA_PERMISSIONS',
    says: /could not (?:open|access|read|write|create|stat|remove|rename|fsync|open or create)[^"\n]*"([^"]+)"[^\n]*: (Permission denied|Operation not permitted)/,
    cause: (file, why) => `${file}, which belongs to the data: ${why}`,
    hint: (subject, file) => `${repairOwner(subject)} — where its owner is right, correct its mode: ls -l ${file}`,
  },
  {
    code: 'WRONG_VERSION',
    says: /initialized by PostgreSQL version (\S+), which is not compatible with this version (\S+)/,
    cause: (made, programs) => `the data was made by PostgreSQL ${made}, the programs are ${programs}`,
    hint: (subject, made) =>
      `install PostgreSQL ${made} and name it: ${start(subject)} --bindir /usr/lib/postgresql/${made}/bin`,
  },
  {
    code: 'WRONG_VERSION',
    says: /database files are incompatible with server\s*\n[^\n]*DETAIL:\s+([^\n]+)/,
    cause: (why) => `the data was made by another build of PostgreSQL: ${why}`,
    hint: (subject) => `name the programs that made it: ${start(subject)} --bindir DIR`,
  },
  {
    code: 'SHARED_MEMORY',
    says: /could not map anonymous shared memory: ([^\n]+)(?:[\s\S]*?currently (\d+) bytes)?/,
    cause: (why, bytes) => `the system does not grant the memory asked for${bytes ? ` (${bytes} bytes)` : ''}: ${why}`,
    hint: lowerMemory,
  },
  {
    code: 'SHARED_MEMORY',
    says: /could not create (shared memory segment|semaphore)s?: ([^\n]+)/,
    cause: (what, why) => `the kernel grants no more ${what}s: ${why}`,
    hint: (subject) =>
      `compare what is used with the limits (ipcs -u; ipcs -l), raise those (sysctl kernel.shmmni kernel.shmall kernel.sem), then: ${start(subject)}`,
  },
  {
    code: 'SHARED_MEMORY',
    says: /could not (?:create|resize) shared memory segment "([^"]+)"[^\n:]*: ([^\n]+)/,
    cause: (segment, why) => `/dev/shm has no room for the shared memory ${segment}: ${why}`,
    hint: (subject) =>
      `make room there (df -h /dev/shm; ls -lS /dev/shm), or make it larger (mount -o remount,size=1G /dev/shm; docker run --shm-size), then: ${start(subject)}`,
  },
  {
    code: 'SHARED_MEMORY',
    says: /(?:FATAL|PANIC):\s+(out of memory|not enough shared memory for data structure[^\n]*|out of shared memory)/,
    cause: (why) => `the server does not get the memory it needs: ${why}`,
    hint: (subject) => `raise its limits (prlimit; its control group), or ${lowerMemory(subject)}`,
  },
  {
    code: 'DISK_SPACE',
    says: /(?:ERROR|FATAL|PANIC):\s+([^\n]*): (?:No space left on device|Disk quota exceeded)/,
    cause: (what) => `the disk is full: ${what}`,
    hint: (subject) => `free some space (df -h ${subject.dataDirectory}), then: ${start(subject)}`,
  },
  {
    code: 'LOCALE_MISSING',
    says: /invalid value for parameter "(?<setting>lc_\w+)": "([^"]*)"/,
    cause: (setting, locale) => `this system has no locale ${locale}, which ${setting} names`,
    hint: (subject, setting, locale) =>
      `install it (locale-gen ${locale}; what there is: locale -a), or set ${setting} = 'C' in ${configuration(subject)}, then: ${start(subject)}`,
  },
  {
    code: 'LOCALE_MISSING',
    says: /initialized with LC_\w+ "([^"]+)",\s+which is not recognized by setlocale/,
    cause: (locale) => `this system has no locale ${locale}, which the data was made with`,
    hint: (subject, locale) => `install it (locale-gen ${locale}; what there is: locale -a), then: ${start(subject)}`,
  },
  {
    code: 'LIBRARY_MISSING',
    says: /(?:could not access file|could not load library|incompatible library) "([^"]+)": ([^\n]+)/,
    cause: (library, why) => `the library ${library} cannot be loaded: ${why}`,
    hint: (subject, library) =>
      `install the package that holds ${library}, or take it out of shared_preload_libraries in ${configuration(subject)}, then: ${start(subject)}`,
  },
  {
    code: 'BAD_ACCESS_RULES',
    says: /LOG:\s+([^\n]+)\n[^\n]*CONTEXT:\s+line (\d+) of configuration file "([^"]+)"[\s\S]*?could not load \S*hba/,
    cause: (why, line, file) => `${file}, line ${line}: ${why}`,
    hint: (subject, _why, line, file) => correct(subject, `line ${line} of ${file}`),
  },
  {
    code: 'BAD_ACCESS_RULES',
    says: /(?:LOG:\s+([^\n]+)\n[^\n]*)?could not load (?:"?\/\S*|pg_hba\.conf)/,
    cause: (why) => `the access rules cannot be read${why ? `: ${why}` : ''}`,
    hint: (subject) => correct(subject, `${subject.dataDirectory}/pg_hba.conf`),
  },
  {
    code: 'BAD_CONFIGURATION',
    says: /could not translate host name "([^"]+)"[^\n]*to address: ([^\n]+)[\s\S]*could not create any TCP\/IP sockets/,
    cause: (name, why) => `listen_addresses names "${name}", and this machine does not know it: ${why}`,
    hint: (subject) => `write an address there, or the name into /etc/hosts, then: ${start(subject)}`,
  },
  {
    code: 'BAD_CONFIGURATION',
    says: /(unrecognized configuration parameter "[^"]+"|syntax error) in file "([^"]+)" line (\d+)([^\n]*)/,
    cause: (what, file, line, rest) => `${file}, line ${line}: ${what}${rest}`,
    hint: (subject, _what, file, line) => correct(subject, `line ${line} of ${file}`),
  },
  {
    code: 'BAD_CONFIGURATION',
    says: /(?:LOG|FATAL|ERROR):\s+([^\n]*parameter "(?<setting>[\w.]+)"[^\n]*)(?:\n[^\n]*HINT:\s+([^\n]+))?/,
    cause: (what, _setting, advice) => `${what}${advice ? ` (${advice})` : ''}`,
    hint: (subject) => correct(subject),
  },
  {
    code: 'BAD_CONFIGURATION',
    says: /(?:insufficient parameter settings\s*\n[^\n]*DETAIL:\s+|hot standby is not possible because )((?<setting>\w+) = [^\n]+)/,
    cause: (what) => what,
    hint: (subject) => correct(subject),
  },
  {
    code: 'BAD_CONFIGURATION',
    says: /("?(?<setting>\w+)"? \(\d+\)(?: plus "?\w+"? \(\d+\))? must be less than [^\n]+|could not open configuration (?:file|directory) [^\n]+|FATAL:\s+WAL [^\n]*wal_level[^\n]*|must specify "?restore_command[^\n]*|could not load server certificate file [^\n]+|could not bind \S+ address [^\n]*(?=[\s\S]*could not create any TCP\/IP sockets))/,
    cause: (what) => what.replace(/^FATAL:\s+/, ''),
    hint: (subject) => correct(subject),
  },
  {
    code: 'RESTORE_TARGET',
    says: /recovery (ended before configured recovery target was reached)/,
    cause: () => 'the WAL at hand ends before the recovery target',
    hint: (subject) =>
      `put the missing WAL into the archive, or choose an earlier moment: ./manage.ts restore ${subject.name} --to-time TIME`,
  },
  {
    code: 'RESTORE_TARGET',
    says: /(requested recovery stop point is before consistent recovery point|recovery target timeline \d+ does not exist|requested timeline \d+ is not a child of this server's history)/,
    cause: (what) => what,
    hint: ({ name }) => `choose another moment or backup: ./manage.ts list-backups ${name}`,
  },
  {
    code: 'CONTROL_FILE_DAMAGED',
    says: /(incorrect checksum in control file|could not read file "\S*global\/pg_control": [^\n]+|could not find the database system|control file contains invalid [^\n]+)/,
    cause: (what) => `global/pg_control is damaged or missing: ${what}`,
    hint: (subject) => `it cannot be started as it is; ${restore(subject)}`,
  },
  {
    code: 'WAL_MISSING',
    says: /(could not locate (?:a valid|required) checkpoint record|could not find redo location|WAL ends before (?:end of online backup|consistent recovery point)|requested WAL segment \S+ has already been removed)/,
    cause: (what) => `WAL that the data needs is missing or damaged: ${what}`,
    hint: (subject) => `put the missing segment back into pg_wal, or ${restore(subject)}`,
  },
  {
    code: 'INSTANCE_BROKEN',
    says: /"?([^"\n]*)"? is not a valid data directory/,
    cause: (directory) => `${directory.replace(/^.*FATAL:\s+"/, '')} is no data directory`,
    hint: restore,
  },
];

/** The cause that a server's words tell, or undefined where it is not known. */
export function diagnose(
  words: string,
  subject: Subject = { name: 'NAME', dataDirectory: 'DATA' },
): Diagnosis | undefined {
  const own = ownWords(words);
  for (const { code, says, cause, hint } of table) {
    const match = says.exec(own);
    if (match === null) continue;
    const parts = match.slice(1);
    const { setting, port } = match.groups ?? {};
    return {
      code,
      cause: cause(...parts),
      hint: hint(subject, ...parts),
      ...(setting ? { setting } : {}),
      ...(port ? { port: Number(port) } : {}),
    };
  }
  return undefined;
}

/** Without what sessions were told (our log_line_prefix names their user@database): it says nothing of the start. */
function ownWords(words: string): string {
  const session =
    /^[^"]*?\[\d+\] (?!(?:LOG|FATAL|PANIC|HINT|DETAIL|CONTEXT|WARNING|ERROR|NOTICE):)[^":]*@[^":]* [A-Z]+: /;
  return words
    .split('\n')
    .filter((line) => !session.test(line))
    .join('\n');
}

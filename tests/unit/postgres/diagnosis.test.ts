import { describe, expect, it } from '@jest/globals';
import type { ErrorCode } from '../../../lib/errors.ts';
import { diagnose, table } from '../../../lib/postgres/diagnosis.ts';

const subject = { name: 'shop', dataDirectory: '/r/shop/data' };
const conf = '/r/shop/data/postgresql.conf';

/** Lines as PostgreSQL writes them with our log_line_prefix. */
function log(...lines: string[]): string {
  return lines.map((line) => `2026-11-22 00:24:26.743 UTC [926] ${line}\n`).join('');
}

const enomem = 'FATAL:  could not map anonymous shared memory: Cannot allocate memory';
const request = (bytes: number): string =>
  `HINT:  This error usually means that PostgreSQL's request for a shared memory segment exceeded available memory, swap space, or huge pages. To reduce the request size (currently ${bytes} bytes), reduce PostgreSQL's shared memory usage, perhaps by reducing shared_buffers or max_connections.`;

/** What servers said (15 unless noted), and what of it must stand in the cause and in the hint. */
const cases: [ErrorCode, string[], cause: string, hint: string][] = [
  [
    'PORT_IN_USE',
    [
      'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
      'HINT:  Is another postmaster already running on port 27832? If not, wait a few seconds and retry.',
      'WARNING:  could not create listen socket for "localhost"',
      'FATAL:  could not create any TCP/IP sockets',
    ],
    'port 27832 at 127.0.0.1',
    'start shop --port auto',
  ],
  [
    'PORT_IN_USE',
    [
      'FATAL:  lock file "/r/shop/run/.s.PGSQL.5433.lock" already exists',
      'HINT:  Is another postmaster (PID 77) using socket file "/r/shop/run/.s.PGSQL.5433"?',
    ],
    'process 77',
    '--port auto',
  ],
  [
    'DATA_IN_USE',
    [
      'FATAL:  lock file "postmaster.pid" already exists',
      'HINT:  Is another postmaster (PID 1968) running in data directory "/r/shop/data"?',
    ],
    'process 1968',
    'stop shop',
  ],
  [
    'DATA_IN_USE',
    [
      'FATAL:  pre-existing shared memory block (key 2, ID 6) is still in use',
      'HINT:  Terminate any old server processes associated with data directory "/r/shop/data".',
    ],
    'earlier server',
    'pgrep -af /r/shop/data',
  ],
  [
    'STALE_LOCK_FILE',
    ['FATAL:  lock file "postmaster.pid" is empty'],
    'names no process',
    'rm /r/shop/data/postmaster.pid',
  ],
  ['STALE_LOCK_FILE', ['FATAL:  bogus data in lock file "postmaster.pid": "zzz', '\t"'], 'names no process', 'rm '],
  [
    'DATA_PERMISSIONS',
    [
      'FATAL:  data directory "/r/shop/data" has invalid permissions',
      'DETAIL:  Permissions should be u=rwx (0700) or u=rwx,g=rx (0750).',
    ],
    'invalid permissions',
    'start shop --fix-permissions',
  ],
  [
    'DATA_PERMISSIONS',
    ['FATAL:  data directory "/r/shop/data" has wrong ownership'],
    'wrong ownership',
    '--fix-permissions',
  ],
  [
    'DATA_PERMISSIONS',
    ['FATAL:  could not open file "PG_VERSION": Permission denied'],
    'PG_VERSION',
    '--fix-permissions',
  ],
  [
    'DATA_PERMISSIONS',
    [
      'LOG:  could not open configuration file "/r/shop/data/pg-manage.conf": Permission denied',
      'FATAL:  configuration file "/r/shop/data/postgresql.conf" contains errors',
    ],
    'pg-manage.conf',
    '--fix-permissions',
  ],
  [
    'FILE_ACCESS',
    ['FATAL:  could not open log file "/var/log/x/postgresql-Sun.log": Permission denied'],
    '/var/log/x/postgresql-Sun.log',
    'ls -ld /var/log/x',
  ],
  [
    'FILE_ACCESS',
    ['FATAL:  could not create lock file "/nonexistent/.s.PGSQL.1.lock": No such file or directory'],
    'No such file',
    'ls -ld /nonexistent',
  ],
  [
    'WRONG_VERSION',
    [
      'FATAL:  database files are incompatible with server',
      'DETAIL:  The data directory was initialized by PostgreSQL version 14, which is not compatible with this version 15.18 (Debian 15.18-0+deb12u1).',
    ],
    'made by PostgreSQL 14',
    '/usr/lib/postgresql/14/bin',
  ],
  [
    'WRONG_VERSION',
    [
      'FATAL:  database files are incompatible with server',
      'DETAIL:  The database cluster was initialized with PG_CONTROL_VERSION 1, but the server was compiled with PG_CONTROL_VERSION 1300.',
    ],
    'PG_CONTROL_VERSION 1,',
    '--bindir',
  ],
  ['SHARED_MEMORY', [enomem, request(4_482_100_068_352)], '4482100068352 bytes', 'shared_buffers'],
  [
    'SHARED_MEMORY', // shmmni or shmall, not the disk
    [
      'FATAL:  could not create shared memory segment: No space left on device',
      'DETAIL:  Failed system call was shmget(key=2, size=56, 03600).',
    ],
    'no more shared memory segments: No space left',
    'kernel.shmmni',
  ],
  [
    'SHARED_MEMORY',
    [
      'FATAL:  could not create semaphores: No space left on device',
      'DETAIL:  Failed system call was semget(5433127, 17, 03600).',
    ],
    'no more semaphores: No space left',
    'kernel.sem',
  ],
  [
    'SHARED_MEMORY',
    ['FATAL:  could not resize shared memory segment "/PostgreSQL.1490143196" to 16976 bytes: No space left on device'],
    '/dev/shm has no room',
    'df -h /dev/shm',
  ],
  ['SHARED_MEMORY', ['FATAL:  out of memory'], 'out of memory', 'shared_buffers'],
  [
    'DISK_SPACE',
    ['FATAL:  could not write lock file "postmaster.pid": No space left on device'],
    'postmaster.pid',
    'df -h /r/shop/data',
  ],
  [
    'DISK_SPACE',
    ['PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device'],
    'pg_wal/xlogtemp.29',
    'df -h',
  ],
  [
    'LOCALE_MISSING',
    ['FATAL:  invalid value for parameter "lc_messages": "xx_YY.utf8"'],
    'xx_YY.utf8',
    'locale-gen xx_YY.utf8',
  ],
  [
    'LOCALE_MISSING',
    [
      'FATAL:  database locale is incompatible with operating system',
      'DETAIL:  The database was initialized with LC_COLLATE "de_AT.utf8",  which is not recognized by setlocale().',
    ],
    'de_AT.utf8',
    'locale -a',
  ],
  [
    'LIBRARY_MISSING',
    ['FATAL:  could not access file "timescaledb": No such file or directory'],
    'timescaledb',
    'shared_preload_libraries',
  ],
  [
    'LIBRARY_MISSING',
    [
      'FATAL:  could not load library "/usr/lib/postgresql/15/lib/postgis-3.so": libgeos_c.so.1: cannot open shared object file: No such file or directory',
    ],
    'libgeos_c.so.1',
    'install the package',
  ],
  [
    'BAD_ACCESS_RULES',
    [
      'LOG:  invalid connection type "junk"',
      'CONTEXT:  line 99 of configuration file "/r/shop/data/pg_hba.conf"',
      'FATAL:  could not load pg_hba.conf',
    ],
    'pg_hba.conf, line 99: invalid connection type "junk"',
    'line 99 of /r/shop/data/pg_hba.conf',
  ],
  [
    'BAD_ACCESS_RULES', // 16
    [
      'LOG:  invalid authentication method "scram"',
      'CONTEXT:  line 3 of configuration file "/r/shop/data/pg_hba.conf"',
      'FATAL:  could not load /r/shop/data/pg_hba.conf',
    ],
    'line 3',
    'line 3 of',
  ],
  [
    'BAD_ACCESS_RULES',
    [
      'LOG:  could not open configuration file "/x/pg_hba.conf": No such file or directory',
      'FATAL:  could not load pg_hba.conf',
    ],
    '/x/pg_hba.conf',
    'pg_hba.conf',
  ],
  [
    'BAD_CONFIGURATION',
    [
      `LOG:  unrecognized configuration parameter "wrok_mem" in file "${conf}" line 816`,
      `FATAL:  configuration file "${conf}" contains errors`,
    ],
    `${conf}, line 816: unrecognized configuration parameter "wrok_mem"`,
    `line 816 of ${conf}`,
  ],
  [
    'BAD_CONFIGURATION',
    [
      `LOG:  syntax error in file "${conf}" line 7, near token "="`,
      `FATAL:  configuration file "${conf}" contains errors`,
    ],
    'line 7: syntax error, near token "="',
    'line 7',
  ],
  [
    'BAD_CONFIGURATION',
    [
      'LOG:  invalid value for parameter "work_mem": "4 parsecs"',
      'HINT:  Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".',
      `FATAL:  configuration file "${conf}" contains errors`,
    ],
    '4 parsecs" (Valid units',
    conf,
  ],
  ['BAD_CONFIGURATION', ['LOG:  parameter "fsync" requires a Boolean value'], 'fsync', conf],
  [
    'BAD_CONFIGURATION', // 18
    ['LOG:  0 8kB is outside the valid range for parameter "shared_buffers" (16 8kB .. 1073741823 8kB)'],
    'outside the valid range',
    conf,
  ],
  [
    'BAD_CONFIGURATION',
    [`LOG:  could not open configuration file "/r/shop/data/nothere.conf": No such file or directory`],
    'nothere.conf',
    conf,
  ],
  [
    'BAD_CONFIGURATION',
    [
      'FATAL:  recovery aborted because of insufficient parameter settings',
      'DETAIL:  max_connections = 10 is a lower setting than on the primary server, where its value was 100.',
    ],
    'max_connections = 10',
    conf,
  ],
  [
    'BAD_CONFIGURATION', // 13
    [
      'FATAL:  hot standby is not possible because max_connections = 5 is a lower setting than on the master server (its value was 100)',
    ],
    'max_connections = 5',
    conf,
  ],
  [
    'BAD_CONFIGURATION',
    ['FATAL:  WAL streaming (max_wal_senders > 0) requires wal_level "replica" or "logical"'],
    'requires wal_level',
    conf,
  ],
  [
    'BAD_CONFIGURATION',
    ['FATAL:  must specify restore_command when standby mode is not enabled'],
    'restore_command',
    conf,
  ],
  [
    'BAD_CONFIGURATION', // 17
    ['FATAL:  must specify "restore_command" when standby mode is not enabled'],
    '"restore_command"',
    conf,
  ],
  [
    'RESTORE_TARGET',
    ['FATAL:  recovery ended before configured recovery target was reached'],
    'before the recovery target',
    '--to-time',
  ],
  [
    'RESTORE_TARGET',
    ['FATAL:  requested recovery stop point is before consistent recovery point'],
    'consistent recovery point',
    'list-backups shop',
  ],
  ['CONTROL_FILE_DAMAGED', ['FATAL:  incorrect checksum in control file'], 'incorrect checksum', 'restore shop'],
  [
    'CONTROL_FILE_DAMAGED',
    ['PANIC:  could not read file "global/pg_control": read 100 of 296'],
    'read 100 of 296',
    'restore shop',
  ],
  [
    'WAL_MISSING',
    ['LOG:  invalid primary checkpoint record', 'PANIC:  could not locate a valid checkpoint record'],
    'valid checkpoint record',
    'pg_wal',
  ],
  [
    'WAL_MISSING', // 17
    ['PANIC:  could not locate a valid checkpoint record at 0/14F6D60'],
    'valid checkpoint record',
    'pg_wal',
  ],
  ['WAL_MISSING', ['FATAL:  WAL ends before end of online backup'], 'online backup', 'restore shop'],
  ['INSTANCE_BROKEN', ['FATAL:  "/r/shop/data" is not a valid data directory'], '/r/shop/data is no', 'restore shop'],
];

const unprefixed: [ErrorCode, string, cause: string][] = [
  [
    'BAD_CONFIGURATION',
    'postgres: superuser_reserved_connections (300) must be less than max_connections (100)',
    '(300)',
  ],
  [
    'BAD_CONFIGURATION', // 17
    'postgres: "superuser_reserved_connections" (999) plus "reserved_connections" (0) must be less than "max_connections" (100)',
    '"superuser_reserved_connections" (999) plus',
  ],
  [
    'CONTROL_FILE_DAMAGED',
    'postgres: could not find the database system\nExpected to find it in the directory "/d",\nbut could not open file "/d/global/pg_control": No such file or directory',
    'damaged or missing',
  ],
  [
    'DATA_PERMISSIONS',
    'postgres: could not find the database system\nExpected to find it in the directory "/d",\nbut could not open file "/d/global/pg_control": Permission denied',
    'Permission denied',
  ],
];

const opening = [
  'LOG:  starting PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc, 64-bit',
  'LOG:  listening on IPv4 address "127.0.0.1", port 27831',
  'LOG:  database system was interrupted; last known up at 2026-11-22 00:25:06 UTC',
];
const ending = [
  'LOG:  startup process (PID 9) was terminated by signal 6: Aborted',
  'LOG:  database system is shut down',
];

describe('diagnose', () => {
  it.each(cases)('says %s to %j', (code, lines, cause, hint) => {
    const found = diagnose(log(...opening, ...lines, ...ending), subject);
    expect(found).toMatchObject({ code, cause: expect.stringContaining(cause), hint: expect.stringContaining(hint) });
    expect(`${found?.cause} ${found?.hint}`).not.toMatch(/undefined|FATAL/);
  });

  it.each(unprefixed)('says %s to %j', (code, words, cause) => {
    expect(diagnose(words, subject)).toMatchObject({ code, cause: expect.stringContaining(cause) });
  });

  it('has a line here for each row of the table', () => {
    const said = [...cases.map(([, lines]) => log(...lines)), ...unprefixed.map(([, words]) => words)];
    const first = new Set(said.map((words) => table.findIndex(({ says }) => says.test(words))));
    expect([...table.keys()].filter((row) => !first.has(row))).toEqual([]);
  });

  it('names the setting whose place the server does not tell', () => {
    expect(diagnose(log('LOG:  invalid value for parameter "work_mem": "lots"'))?.setting).toBe('work_mem');
    expect(diagnose(log('FATAL:  invalid value for parameter "lc_messages": "xx"'))?.setting).toBe('lc_messages');
    const sum =
      'superuser_reserved_connections (9) plus reserved_connections (0) must be less than max_connections (5)';
    expect(diagnose(`postgres: ${sum}`)?.setting).toBe('superuser_reserved_connections');
  });

  it('does not take an address that is missing for the cause, where others do', () => {
    const noIpv6 = 'LOG:  could not bind IPv6 address "::1": Cannot assign requested address';
    const taken = 'LOG:  could not bind IPv6 address "::1": Address already in use';
    const damaged = 'FATAL:  incorrect checksum in control file';
    for (const line of [noIpv6, taken]) expect(diagnose(log(line, damaged))?.code).toBe('CONTROL_FILE_DAMAGED');
    const none = 'FATAL:  could not create any TCP/IP sockets';
    expect(diagnose(log(noIpv6, none))).toMatchObject({
      code: 'BAD_CONFIGURATION',
      cause: expect.stringContaining('::1'),
    });
  });

  it('knows nothing of a good start, of an unknown cause, and of what sessions were told', () => {
    expect(diagnose('')).toBeUndefined();
    expect(diagnose(log(...opening, 'LOG:  redo starts at 0/1500780', ...ending))).toBeUndefined();
    expect(diagnose(log('FATAL:  the sky has fallen'))).toBeUndefined();
    expect(
      diagnose(log('shop@shop ERROR:  could not extend file "base/1/2": No space left on device')),
    ).toBeUndefined();
    expect(diagnose(log('shop@shop FATAL:  invalid value for parameter "TimeZone": "Mars"'))).toBeUndefined();
  });
});

import type { ErrorCode } from '../../../lib/errors.ts';

/** The lines of a server's log, and what of them must stand in the cause and in the hint. */
export type Said = [ErrorCode, string[], cause: string, hint: string];

const conf = '/r/shop/data/postgresql.conf';

/** What servers said (15 unless noted) of their configuration, their WAL and their control file. */
export const saidOfItsFiles: Said[] = [
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

/** What they say before there is a log. */
export const unprefixed: [ErrorCode, string, cause: string][] = [
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

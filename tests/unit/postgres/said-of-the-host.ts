import type { Said } from './said-of-its-files.ts';

const enomem = 'FATAL:  could not map anonymous shared memory: Cannot allocate memory';
const request = (bytes: number): string =>
  `HINT:  This error usually means that PostgreSQL's request for a shared memory segment exceeded available memory, swap space, or huge pages. To reduce the request size (currently ${bytes} bytes), reduce PostgreSQL's shared memory usage, perhaps by reducing shared_buffers or max_connections.`;

/** What servers said (15 unless noted) that lacked something of their host, or found another there. */
export const saidOfTheHost: Said[] = [
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
  [
    'SHARED_MEMORY', // not the data's permissions
    ['FATAL:  could not open shared memory segment "/PostgreSQL.2099055670": Permission denied'],
    'no shared memory in /dev/shm: Permission denied',
    'mode=1777 /dev/shm',
  ],
  [
    'BAD_CONFIGURATION',
    [
      'LOG:  could not translate host name "elsewhere", service "5440" to address: Name or service not known',
      'WARNING:  could not create listen socket for "elsewhere"',
      'FATAL:  could not create any TCP/IP sockets',
    ],
    'listen_addresses names "elsewhere"',
    '/etc/hosts',
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
];

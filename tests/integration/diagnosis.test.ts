import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ailing, crash } from '../helpers/ailing.ts';
import { dataOf } from '../helpers/answer.ts';

let ailing: Ailing;

beforeAll(async () => {
  ailing = await Ailing.make();
});
afterAll(async () => {
  await ailing.sandbox.cleanup();
});

/** What is the operator's, or the clients', in the data: no failed start may change it. */
function precious(): string[] {
  const names = ['postgresql.conf', 'postgresql.auto.conf', 'pg_hba.conf', 'PG_VERSION', 'global/pg_control'];
  const relations = readdirSync(ailing.file('base'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\/\d+$/.test(name))
    .map((name) => `base/${name}`);
  return [...names, ...relations].map(
    (name) => `${name} ${statSync(ailing.file(name)).size} ${sum(ailing.file(name))}`,
  );
}

function sum(path: string): string {
  return createHash('sha1').update(readFileSync(path)).digest('hex');
}

/** The control file with another version of the catalogue: 12 bytes in, covered by a CRC-32C behind its last field. */
function ofAnotherBuild(control: Buffer): Buffer {
  const changed = Buffer.from(control);
  const end = checksumPlace(control);
  changed.writeUInt32LE(changed.readUInt32LE(12) - 1, 12);
  changed.writeUInt32LE(crc32c(changed.subarray(0, end)), end);
  return changed;
}

/** Where its checksum stands, which differs between majors. */
function checksumPlace(control: Buffer): number {
  for (let at = 200; at < 400; at += 4) if (crc32c(control.subarray(0, at)) === control.readUInt32LE(at)) return at;
  throw new Error('pg_control has no checksum where one was looked for');
}

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe('a setting that the server refuses', () => {
  it.each([
    ['wrok_mem = 4MB', 'BAD_CONFIGURATION', 'unrecognized configuration parameter "wrok_mem"', 'postgresql.conf'],
    ['work_mem = lots', 'BAD_CONFIGURATION', 'invalid value for parameter "work_mem": "lots"', 'postgresql.conf'],
    ["work_mem = '4 parsecs'", 'BAD_CONFIGURATION', 'Valid units', 'postgresql.conf'],
    ['work_mem = = 4MB', 'BAD_CONFIGURATION', 'syntax error', 'postgresql.conf'],
    ['superuser_reserved_connections = 9999', 'BAD_CONFIGURATION', 'must be less than', 'postgresql.conf'],
    ["lc_messages = 'xx_YY.utf8'", 'LOCALE_MISSING', 'no locale xx_YY.utf8', 'locale-gen xx_YY.utf8'],
  ])('%s: is told as %s with file and line', async (line, code, cause, hint) => {
    const { place, undo } = ailing.configure(line);
    const before = precious();
    const error = await ailing.failure();
    expect(error).toMatchObject({ code, exitCode: 1, message: expect.stringContaining(cause) });
    expect(error.message).toContain(place);
    expect(error.hint).toContain(hint);
    expect(error.output).toMatch(/FATAL:|postgres: /);
    expect(precious()).toEqual(before);
    undo();
    await ailing.expectWell();
  });

  it.each([
    ["shared_buffers = '4TB'", 'SHARED_MEMORY', /\d{13} bytes/, 'lower shared_buffers'],
    [
      "shared_preload_libraries = 'nolib'",
      'LIBRARY_MISSING',
      /library nolib/,
      'take it out of shared_preload_libraries',
    ],
  ])('%s: is told as %s', async (line, code, cause, hint) => {
    const { undo } = ailing.configure(line);
    const before = precious();
    expect(await ailing.failure()).toMatchObject({
      code,
      exitCode: 1,
      message: expect.stringMatching(cause),
      hint: expect.stringContaining(hint),
      output: expect.stringContaining('FATAL'),
    });
    expect(precious()).toEqual(before);
    undo();
    await ailing.expectWell();
  });

  it('in pg_hba.conf: is told with file and line', async () => {
    const rules = readFileSync(ailing.file('pg_hba.conf'), 'utf8');
    ailing.write('pg_hba.conf', `${rules}junk all all\n`);
    const line = rules.split('\n').length;
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'BAD_ACCESS_RULES', exitCode: 1 });
    expect(error.message).toContain(`${ailing.file('pg_hba.conf')}, line ${line}: invalid connection type "junk"`);
    expect(error.hint).toContain(`line ${line} of ${ailing.file('pg_hba.conf')}`);
    ailing.write('pg_hba.conf', rules);
    await ailing.expectWell();
  });

  it('another port in postgresql.auto.conf, which no lease holds: the line is named, and the hint gives it to the instance', async () => {
    const [own, other] = ailing.sandbox.portRange.split('-');
    const automatic = readFileSync(ailing.file('postgresql.auto.conf'), 'utf8');
    ailing.write('postgresql.auto.conf', `${automatic}port = ${other}\n`);
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'BAD_CONFIGURATION', exitCode: 1 });
    expect(error.message).toContain(`postgresql.auto.conf, line ${automatic.split('\n').length} sets port ${other}`);
    const move = /start shop (--port \d+)$/.exec(error.hint)?.[1]?.split(' ') ?? [];
    await ailing.expectWell(move);
    ailing.write('postgresql.auto.conf', automatic);
    await ailing.expectWell(['--port', own ?? '']);
  });
});

describe('a place that the server cannot use', () => {
  it.each([
    ["log_directory = '/nonexistent/log'", '/nonexistent/log/', 'ls -ld /nonexistent/log'],
    ["unix_socket_directories = '/nonexistent'", '/nonexistent/.s.PGSQL', 'ls -ld /nonexistent'],
  ])('%s', async (line, file, hint) => {
    const automatic = readFileSync(ailing.file('postgresql.auto.conf'), 'utf8');
    ailing.write('postgresql.auto.conf', `${automatic}${line}\n`);
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'FILE_ACCESS', exitCode: 1 });
    expect(error.message).toMatch(new RegExp(`${file.replaceAll('.', '\\.')}\\S*: No such file or directory`));
    expect(error.hint).toContain(hint);
    ailing.write('postgresql.auto.conf', automatic);
    await ailing.expectWell();
  });

  it('a socket that another living server holds', async () => {
    const { port } = (await ailing.sandbox.manage(['status', 'shop', '--json'])).json().data as { port: number };
    const data = join(ailing.sandbox.folder, 'copy');
    execFileSync('cp', ['-a', ailing.data, data]);
    const other = await ailing.serveByHand(port, { data, sockets: join(ailing.folder, 'run'), listen: '' });
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'PORT_IN_USE', exitCode: 1 });
    expect(error.message).toMatch(
      new RegExp(`another server \\(process ${other.pid}\\) holds the socket of port ${port}`),
    );
    const moved = /\.\/manage\.ts (start shop --port auto)/.exec(error.hint)?.[1]?.split(' ').slice(2) ?? [];
    await ailing.expectWell([...moved, '--port-range', ailing.sandbox.portRange]);
    expect(other.alive()).toBe(true);
    await other.end();
  });
});

describe('data that the server cannot start from', () => {
  it('without its access rules', async () => {
    renameSync(ailing.file('pg_hba.conf'), join(ailing.folder, 'kept'));
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'BAD_ACCESS_RULES', exitCode: 1 });
    expect(error.message).toContain('the access rules cannot be read: could not open');
    expect(error.hint).toContain(`correct ${ailing.file('pg_hba.conf')}`);
    renameSync(join(ailing.folder, 'kept'), ailing.file('pg_hba.conf'));
    await ailing.expectWell();
  });

  it('without its version', async () => {
    renameSync(ailing.file('PG_VERSION'), join(ailing.folder, 'kept'));
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'INSTANCE_BROKEN', exitCode: 1 });
    expect(error.message).toContain(`${ailing.data} is no data directory`);
    expect(error.hint).toContain('./manage.ts restore shop');
    renameSync(join(ailing.folder, 'kept'), ailing.file('PG_VERSION'));
    await ailing.expectWell();
  });

  it('made by another build of the same major', async () => {
    const control = readFileSync(ailing.file('global/pg_control'));
    ailing.write('global/pg_control', ofAnotherBuild(control));
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'WRONG_VERSION', exitCode: 1 });
    expect(error.message).toMatch(/made by another build of PostgreSQL: .*CATALOG_VERSION_NO/);
    expect(error.hint).toContain('./manage.ts start shop --bindir DIR');
    ailing.write('global/pg_control', control);
    await ailing.expectWell();
  });

  it('a file of it that may not be read', async () => {
    chmodSync(ailing.file('pg_hba.conf'), 0o000);
    const error = await ailing.failure();
    expect(error).toMatchObject({
      code: 'DATA_PERMISSIONS',
      exitCode: 1,
      message: expect.stringContaining('pg_hba.conf'),
    });
    expect(error.hint).toContain(`correct its mode: ls -l ${ailing.file('pg_hba.conf')}`);
    expect(statSync(ailing.file('pg_hba.conf')).mode & 0o777).toBe(0);
    chmodSync(ailing.file('pg_hba.conf'), 0o600);
    await ailing.expectWell();
  });

  it('an unknown cause: the words are shown, and it is said that it is not known', async () => {
    renameSync(ailing.file('pg_multixact'), join(ailing.folder, 'kept'));
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'START_FAILED', exitCode: 1, message: expect.stringContaining('not known') });
    expect(error.message).toContain('could not access status of transaction');
    expect(error.output).toContain('pg_multixact/offsets');
    const logs = /\.\/manage\.ts (logs shop)/.exec(error.hint)?.[1]?.split(' ') ?? [];
    expect((await ailing.sandbox.manage(logs)).stdout).toContain('pg_multixact');
    renameSync(join(ailing.folder, 'kept'), ailing.file('pg_multixact'));
    await ailing.expectWell();
  });

  it.each([
    [
      "recovery_target_timeline = '7'",
      'RESTORE_TARGET',
      'recovery target timeline 7 does not exist',
      'list-backups shop',
    ],
    [
      'max_connections = 5\nmax_wal_senders = 2',
      'BAD_CONFIGURATION',
      'max_connections = 5 is a lower setting',
      'line 3 of',
    ],
  ])('a recovery with %j', async (lines, code, cause, hint) => {
    ailing.write('recovery.signal', '');
    ailing.write('pg-manage.recovery.conf', `restore_command = 'false'\nhot_standby = on\n${lines}\n`);
    expect(await ailing.failure()).toMatchObject({
      code,
      exitCode: 1,
      message: expect.stringContaining(cause),
      hint: expect.stringContaining(hint),
    });
    for (const name of ['recovery.signal', 'pg-manage.recovery.conf']) rmSync(ailing.file(name));
    await ailing.expectWell();
  });

  it('a recovery target that the WAL does not reach', async () => {
    ailing.write('recovery.signal', '');
    ailing.write('pg-manage.recovery.conf', "restore_command = 'false'\nrecovery_target_time = '2100-01-01'\n");
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'RESTORE_TARGET', exitCode: 1, hint: expect.stringContaining('--to-time') });
    expect(error.output).toContain('recovery ended before configured recovery target was reached');
    for (const name of ['recovery.signal', 'pg-manage.recovery.conf']) rmSync(ailing.file(name));
    await ailing.expectWell();
  });

  it('WAL that is missing after a crash', async () => {
    await crash(ailing);
    const wal = ailing.file('pg_wal');
    const segments = readdirSync(wal).filter((name) => /^[0-9A-F]{24}$/.test(name));
    for (const name of segments) renameSync(join(wal, name), join(ailing.folder, name));
    const error = await ailing.failure();
    expect(error).toMatchObject({
      code: 'WAL_MISSING',
      exitCode: 1,
      hint: expect.stringContaining('back into pg_wal'),
    });
    expect(error.output).toContain('PANIC');
    for (const name of segments) renameSync(join(ailing.folder, name), join(wal, name));
    await ailing.expectWell();
  });

  it('a damaged control file, which the hint brings back from the backup', async () => {
    dataOf(await ailing.sandbox.manage(['start', 'shop', '--json']));
    dataOf(await ailing.sandbox.manage(['backup', 'shop', '--no-verify', '--json']));
    await ailing.stop();
    const control = ailing.file('global', 'pg_control');
    copyFileSync(control, join(ailing.folder, 'kept'));
    const bytes = readFileSync(control);
    bytes[100] = (bytes[100] ?? 0) ^ 0xff;
    ailing.write('global/pg_control', bytes);
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'CONTROL_FILE_DAMAGED', exitCode: 1 });
    expect(error.output).toContain('incorrect checksum in control file');
    expect(readFileSync(control)).toEqual(bytes);
    const restore = /\.\/manage\.ts (restore shop)/.exec(error.hint)?.[1]?.split(' ') ?? [];
    dataOf(await ailing.sandbox.manage([...restore, '--yes', '--json']));
    await ailing.expectWell();
  });
});

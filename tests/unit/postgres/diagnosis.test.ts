import { describe, expect, it } from '@jest/globals';
import { diagnose, table } from '../../../lib/postgres/diagnosis.ts';
import { saidOfItsFiles, unprefixed } from './said-of-its-files.ts';
import { saidOfTheHost } from './said-of-the-host.ts';

const subject = { name: 'shop', dataDirectory: '/r/shop/data' };

/** Lines as PostgreSQL writes them with our log_line_prefix. */
function log(...lines: string[]): string {
  return lines.map((line) => `2026-11-22 00:24:26.743 UTC [926] ${line}\n`).join('');
}

const cases = [...saidOfTheHost, ...saidOfItsFiles];

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

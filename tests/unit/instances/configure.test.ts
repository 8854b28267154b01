import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  includeLine,
  quoteSetting,
  Raw,
  shellCommand,
  writeOwnConfiguration,
} from '../../../lib/instances/configure.ts';
import { parseName } from '../../../lib/instances/names.ts';
import { instancePaths, placesOf } from '../../../lib/instances/places.ts';

/** What the server does to a command before it runs it (PostgreSQL's percentrepl.c). */
function asServerFills(command: string, path: string, name: string): string {
  return command.replaceAll(/%(.)/g, (all, letter: string) => ({ p: path, f: name, '%': '%' })[letter] ?? all);
}

/** The arguments as a program sees them that the server calls by this command. */
function argumentsOf(parts: string[], path: string, name: string): string[] {
  const command = asServerFills(shellCommand(['printf', String.raw`%s\0`, ...parts]), path, name);
  return execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' }).split('\0').slice(0, -1);
}

const segment = '000000010000000000000003';
const awkward = fc.oneof(
  fc.string({
    unit: fc.constantFrom(...Array.from(` '"\`$\\%pf&;|*?~#!<>(){}[]=\n\tab/é`)),
    minLength: 1,
    maxLength: 24,
  }),
  fc.string({ minLength: 1 }).filter((text) => !text.includes('\0')),
);
const awkwardArgument = awkward.filter((text) => text !== Raw.path && text !== Raw.name);

describe('shellCommand', () => {
  it('gives a program its arguments back as they were', () => {
    expect(argumentsOf(['/srv/it\'s 100% "ours"/wal', Raw.path, Raw.name], `pg_wal/${segment}`, segment)).toEqual([
      '/srv/it\'s 100% "ours"/wal',
      `pg_wal/${segment}`,
      segment,
    ]);
    expect(argumentsOf(['%%p', 'a%pb'], 'pg_wal/x', 'x')).toEqual(['%%p', 'a%pb']);
  });

  it('does so whatever they hold', () => {
    fc.assert(
      fc.property(fc.array(awkwardArgument, { minLength: 1, maxLength: 4 }), (parts) => {
        const all = [...parts, Raw.name, Raw.path];
        expect(argumentsOf(all, `pg_wal/${segment}`, segment)).toEqual([...parts, segment, `pg_wal/${segment}`]);
      }),
    );
  });
});

/** Reads a value as the server does: the STRING rule and DeescapeQuotedString of guc-file.l. */
function asServerReads(text: string): string {
  const inside = /^'((?:[^'\\\n]|\\.|'')*)'$/.exec(text)?.[1];
  if (inside === undefined) throw new Error(`${text} is no string of a configuration file`);
  const letters: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };
  return inside.replaceAll(/''|\\([0-7]{1,3}|.)/g, (all, escaped: string | undefined) => {
    if (all === "''") return "'";
    if (/^[0-7]/.test(escaped ?? '')) return String.fromCharCode(Number.parseInt(escaped ?? '', 8));
    return letters[escaped ?? ''] ?? escaped ?? '';
  });
}

describe('quoteSetting', () => {
  it('leaves numbers bare and quotes text', () => {
    expect(quoteSetting(5433)).toBe('5433');
    expect(quoteSetting('localhost')).toBe("'localhost'");
  });

  it('is read back by the server as it was', () => {
    fc.assert(fc.property(awkward, (text) => expect(asServerReads(quoteSetting(text))).toBe(text)));
  });

  const majors = [13, 14, 15, 16, 17, 18].filter((major) => existsSync(`/usr/lib/postgresql/${major}/bin/postgres`));

  it.each(majors)('is read back so by PostgreSQL %d itself', (major) => {
    const folder = mkdtempSync(join(tmpdir(), 'pgm-conf-'));
    try {
      chmodSync(folder, 0o700);
      const command = shellCommand([`/srv/it's \\n "100%"/archive-wal`, Raw.path, Raw.name, 'a\\b\nc']);
      writeFileSync(join(folder, 'postgresql.conf'), `archive_command = ${quoteSetting(command)}\n`);
      const args = ['-C', 'archive_command', '-D', folder];
      const said = execFileSync(`/usr/lib/postgresql/${major}/bin/postgres`, args, { encoding: 'utf8', stdio: 'pipe' });
      expect(said).toBe(`${command}\n`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('writeOwnConfiguration', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'pgm-conf-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('writes settings, script and folders below the root, and changes nothing the second time', () => {
    const name = parseName('client-a');
    const paths = instancePaths(placesOf(root, join(root, 'backups'), join(root, 'host')), name);
    mkdirSync(paths.data, { recursive: true });
    writeFileSync(join(paths.data, 'postgresql.conf'), 'work_mem = 4MB\n');
    const identity = { id: 'the-id', systemIdentifier: '42' };
    const write = (port: number) =>
      writeOwnConfiguration(paths, { name, port, archiveFolder: join(root, 'my wal'), ...identity });
    write(5433);
    const files = ['postgresql.conf', 'pg-manage.conf', 'pg_ident.conf'].map((file) => join(paths.data, file));
    const before = files.map((file) => [readFileSync(file, 'utf8'), statSync(file).ino]);
    expect(before[0]?.[0]).toBe(`work_mem = 4MB\n\n${includeLine}\n`);
    expect(before[1]?.[0]).toContain('\nport = 5433\n');
    expect(before[1]?.[0]).toContain(`''${join(root, 'my wal')}''`);
    expect(statSync(paths.archiveScript).mode & 0o777).toBe(0o700);
    expect([paths.log, paths.socket].map((folder) => statSync(folder).mode & 0o777)).toEqual([0o700, 0o700]);
    write(5433);
    expect(files.map((file) => [readFileSync(file, 'utf8'), statSync(file).ino])).toEqual(before);
    write(5434);
    expect(readFileSync(files[1] ?? '', 'utf8')).toContain('\nport = 5434\n');
  });
});

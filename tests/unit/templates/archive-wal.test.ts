import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { projectDirectory } from '../../../lib/host/project.ts';

const script = join(projectDirectory, 'templates', 'archive-wal.sh');
const id = '0b0cafe0-0000-4000-8000-000000000001';
const system = '7710816615397807921';
const segment = '000000010000000000000003';

let folder: string;
let archive: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pgm archive'-"));
  archive = join(folder, 'the archive');
  mkdirSync(archive);
  writeFileSync(join(archive, '.instance'), `${id}\n`);
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** The beginning of a segment: a long page header with the system identifier at byte 24 (xlog_internal.h). */
function walOf(systemIdentifier: string, filler = 0): Buffer {
  const bytes = Buffer.alloc(64 * 1024, filler);
  bytes.writeBigUInt64LE(BigInt(systemIdentifier), 24);
  return bytes;
}

interface Ended {
  code: number;
  stderr: string;
}

async function archiveFile(
  name: string,
  content: Buffer | string,
  args = [id, system],
  how = 'exec /bin/sh "$0" "$@"',
): Promise<Ended> {
  const source = join(folder, 'pg_wal source');
  writeFileSync(source, content);
  return await new Promise((resolve) => {
    execFile('/bin/sh', ['-c', how, script, source, name, archive, ...args], (error, _, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stderr });
    });
  });
}

function stored(): string[] {
  return readdirSync(archive).filter((name) => name !== '.instance' && name !== '.incoming');
}

describe('archive-wal, told whose WAL goes where', () => {
  it('takes what fits, and the files beside segments, which name no system', async () => {
    expect(await archiveFile(segment, walOf(system))).toEqual({ code: 0, stderr: '' });
    expect(await archiveFile('00000002.history', '1\t0/3000000\tno recovery target\n')).toMatchObject({ code: 0 });
    expect(stored()).toEqual([segment, '00000002.history']);
  });

  it('takes WAL of its own database system only', async () => {
    const foreign = await archiveFile(segment, walOf('7000000000000000001'));
    expect(foreign).toEqual({
      code: 1,
      stderr: `archive-wal: ${segment}: is WAL of database system 7000000000000000001, not of ${system}\n`,
    });
    expect(stored()).toEqual([]);
  });

  it('writes into the archive of its own instance only', async () => {
    writeFileSync(join(archive, '.instance'), 'another\n');
    expect((await archiveFile(segment, walOf(system))).stderr).toContain('the archive of another instance (another)');
    rmSync(join(archive, '.instance'));
    expect(await archiveFile(segment, walOf(system))).toMatchObject({ code: 1 });
    expect(stored()).toEqual([]);
  });

  it('clears away what a crash left of an earlier attempt', async () => {
    const incoming = join(archive, '.incoming');
    mkdirSync(incoming);
    writeFileSync(join(incoming, `${segment}.4194305`), 'half'); // no process has such a number (proc(5), pid_max)
    writeFileSync(join(incoming, '000000010000000000000004.4711'), 'of another');
    expect((await archiveFile(segment, walOf(system))).code).toBe(0);
    expect([stored(), readdirSync(incoming)]).toEqual([[segment], ['000000010000000000000004.4711']]);
  });

  it('removes what was received of segments that it holds, and nothing else that was', async () => {
    const tail = join(archive, 'tail', '00000001');
    mkdirSync(tail, { recursive: true });
    const [earlier, next] = ['000000010000000000000002', '000000010000000000000004'];
    for (const name of [earlier, segment, `${segment}.partial`, next, '00000001.history']) {
      writeFileSync(join(tail, name), 'received');
    }
    // A backup's label has the name of its first segment, and a promoted server's partial segment that of a whole one.
    for (const name of [`${earlier}.zst`, `${next}.00000028.backup`, `${next}.partial`]) {
      writeFileSync(join(archive, name), '');
    }
    expect(await archiveFile(segment, walOf(system))).toEqual({ code: 0, stderr: '' });
    expect(readdirSync(tail)).toEqual(['00000001.history', `${segment}.partial`, next].sort());
  });

  it('asks for no identity where none is given, as a server that runs since before does', async () => {
    expect((await archiveFile(segment, 'anything', [])).code).toBe(0);
  });
});

describe.each([
  ['zstd', '.zst'],
  ['lz4', '.lz4'],
  ['gzip', '.gz'],
])('archive-wal, told to compress with %s', (program, suffix) => {
  const packer = `/usr/bin/${program}`;
  const args = [id, system, packer];
  const file = `${segment}${suffix}`;
  const unpacked = (): Buffer => execFileSync(packer, ['-d', '-c', '-q', join(archive, file)]);

  it('stores a segment under its name and the suffix, small, for its owner alone; the rest as it is', async () => {
    const content = walOf(system);
    expect(await archiveFile(segment, content, args)).toEqual({ code: 0, stderr: '' });
    for (const name of ['00000002.history', `${segment}.00000028.backup`, `${segment}.partial`]) {
      expect(await archiveFile(name, content, args)).toEqual({ code: 0, stderr: '' });
    }
    expect(stored()).toEqual([`${segment}.00000028.backup`, file, `${segment}.partial`, '00000002.history'].sort());
    expect(unpacked().equals(content)).toBe(true);
    expect(statSync(join(archive, file)).size).toBeLessThan(1000);
  });

  it('is done when the same segment is sent again, and fails when another is', async () => {
    await archiveFile(segment, walOf(system), args);
    const { ino } = statSync(join(archive, file));
    expect(await archiveFile(segment, walOf(system), args)).toEqual({ code: 0, stderr: '' });
    const other = await archiveFile(segment, walOf(system, 1), args);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('another file of this name') });
    const shorter = await archiveFile(segment, walOf(system).subarray(0, 8192), args);
    expect(shorter.code).toBe(1);
    expect([statSync(join(archive, file)).ino, stored()]).toEqual([ino, [file]]);
  });

  it('compares with what another codec has stored, and stores it once', async () => {
    for (const [before, name] of [
      ['', segment],
      ['/usr/bin/zstd', `${segment}.zst`],
      ['/usr/bin/gzip', `${segment}.gz`],
    ] as const) {
      await archiveFile(segment, walOf(system), [id, system, before]);
      expect(await archiveFile(segment, walOf(system), args)).toEqual({ code: 0, stderr: '' });
      expect((await archiveFile(segment, walOf(system, 1), args)).code).toBe(1);
      expect(stored()).toEqual([name]);
      rmSync(join(archive, name));
    }
  });

  it('takes a damaged file for another one, and does not replace it', async () => {
    await archiveFile(segment, walOf(system), args);
    const bytes = readFileSync(join(archive, file));
    bytes[bytes.length - 2] = (bytes[bytes.length - 2] ?? 0) ^ 0x40;
    writeFileSync(join(archive, file), bytes);
    expect((await archiveFile(segment, walOf(system), args)).code).toBe(1);
    expect(readFileSync(join(archive, file)).equals(bytes)).toBe(true);
  });

  it('leaves nothing behind when it cannot read or write', async () => {
    expect((await archiveFile(segment, walOf('7000000000000000001'), args)).code).toBe(1);
    expect(stored()).toEqual([]);
    const noise = Buffer.concat([walOf(system), randomBytes(200_000)]);
    const limited = await archiveFile(segment, noise, args, 'trap "" XFSZ; ulimit -f 64; exec /bin/sh "$0" "$@"');
    expect(limited).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be written') });
    expect(stored()).toEqual([]);
    expect((await archiveFile(segment, noise, args)).code).toBe(0);
    expect(unpacked().equals(noise)).toBe(true);
  });

  it('stores plainly when the program is gone', async () => {
    expect((await archiveFile(segment, walOf(system), [id, system, `${folder}/${program}`])).code).toBe(0);
    expect(stored()).toEqual([segment]);
  });
});

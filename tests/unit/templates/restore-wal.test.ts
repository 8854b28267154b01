import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const templates = fileURLToPath(new URL('../../../templates/', import.meta.url));
const segment = '000000010000000000000003';
let data: string;
let archive: string;
beforeEach(() => {
  // A space and a quote in every path, as an operator's folders have.
  data = join(mkdtempSync(join(tmpdir(), 'pgm-scripts-')), "it's data");
  archive = join(data, '..', 'my wal');
  mkdirSync(join(data, 'pg_wal'), { recursive: true });
  mkdirSync(archive);
});
afterEach(() => rmSync(join(data, '..'), { recursive: true }));

interface Ended {
  status: number | null;
  said: string;
}

/** Runs a script as the server does: by /bin/sh, from its data directory, with its umask. */
async function run(script: string, ...args: string[]): Promise<Ended> {
  const command = 'umask 077; exec /bin/sh "$0" "$@"';
  const child = spawn('/bin/sh', ['-c', command, join(templates, script), ...args], { cwd: data });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, said };
}

describe('restore-wal', () => {
  const fetch = async (...folders: string[]): Promise<Ended> =>
    await run('restore-wal.sh', segment, 'pg_wal/RECOVERYXLOG', ...folders);
  const target = (): string => join(data, 'pg_wal', 'RECOVERYXLOG');

  it('gives back the same bytes', async () => {
    const content = randomBytes(100_000);
    writeFileSync(join(archive, segment), content);
    expect(await fetch(archive)).toEqual({ status: 0, said: '' });
    expect(readFileSync(target()).equals(content)).toBe(true);
    expect(readFileSync(join(archive, segment)).equals(content)).toBe(true);
  });

  it('says 1 only when every folder is there and none has the file', async () => {
    mkdirSync(join(archive, 'second'));
    expect(await fetch(archive)).toEqual({ status: 1, said: '' });
    expect((await fetch(archive, join(archive, 'second'))).status).toBe(1);
    expect(existsSync(target())).toBe(false);
  });

  it('says 126, and why, when a folder is missing', async () => {
    for (const folders of [[`${archive}/gone`], [archive, `${archive}/gone`]]) {
      const { status, said } = await fetch(...folders);
      expect(status).toBe(126);
      expect(said).toContain(`${archive}/gone cannot be read`);
    }
  });

  it('says 126 when the file is there and cannot be copied', async () => {
    mkdirSync(join(archive, segment));
    const { status, said } = await fetch(archive);
    expect(status).toBe(126);
    expect(said).toContain(`${archive}/${segment} cannot be read`);
  });

  // Absence is proven by its own words only; whatever else looking ends with might be the disk.
  it('says 126, and why, when the name is too long to look for', async () => {
    const { status, said } = await run('restore-wal.sh', 'A'.repeat(300), 'pg_wal/RECOVERYXLOG', archive);
    expect(status).toBe(126);
    expect(said).toContain('File name too long');
    expect(existsSync(target())).toBe(false);
  });

  it('says 126, and why, when a folder is a file or a circle of links', async () => {
    writeFileSync(join(archive, 'file'), '');
    symlinkSync('circle', join(archive, 'circle'));
    for (const [folder, why] of [
      [join(archive, 'file'), 'Not a directory'],
      [join(archive, 'circle'), 'Too many levels of symbolic links'],
    ] as const) {
      for (const folders of [[folder], [archive, folder]]) {
        const { status, said } = await fetch(...folders);
        expect(status).toBe(126);
        expect(said).toContain(why);
      }
    }
  });

  it('says 126 for an error of looking even when a later folder has the file', async () => {
    writeFileSync(join(archive, 'file'), '');
    writeFileSync(join(archive, segment), 'here');
    expect((await fetch(join(archive, 'file'), archive)).status).toBe(126);
    expect(existsSync(target())).toBe(false);
  });

  it('looks into several folders in order', async () => {
    const second = join(archive, 'second');
    mkdirSync(second);
    writeFileSync(join(second, segment), 'second');
    expect((await fetch(archive, second)).status).toBe(0);
    expect(readFileSync(target(), 'utf8')).toBe('second');
    writeFileSync(join(archive, segment), 'first');
    expect((await fetch(archive, second)).status).toBe(0);
    expect(readFileSync(target(), 'utf8')).toBe('first');
  });

  describe.each([
    ['zstd', '.zst'],
    ['lz4', '.lz4'],
    ['gzip', '.gz'],
  ])('of what %s has compressed', (program, suffix) => {
    const file = (): string => join(archive, `${segment}${suffix}`);
    const put = (content: Buffer): void =>
      writeFileSync(file(), execFileSync(program, ['-c', '-q'], { input: content }));

    it('gives back the same bytes, and leaves nothing beside them', async () => {
      const content = randomBytes(100_000);
      put(content);
      expect(await fetch(archive)).toEqual({ status: 0, said: '' });
      expect(readFileSync(target()).equals(content)).toBe(true);
      expect(readdirSync(join(data, 'pg_wal'))).toEqual(['RECOVERYXLOG']);
    });

    it('follows a link to it', async () => {
      put(Buffer.from('compressed'));
      renameSync(file(), join(archive, 'elsewhere'));
      symlinkSync(join(archive, 'elsewhere'), file());
      expect((await fetch(archive)).status).toBe(0);
      expect(readFileSync(target(), 'utf8')).toBe('compressed');
    });

    it('finds it in a later folder, beside others that are plain', async () => {
      const second = join(archive, 'second');
      mkdirSync(second);
      put(Buffer.from('compressed'));
      expect((await fetch(second, archive)).status).toBe(0);
      expect(readFileSync(target(), 'utf8')).toBe('compressed');
      writeFileSync(join(second, segment), 'plain');
      expect((await fetch(second, archive)).status).toBe(0);
      expect(readFileSync(target(), 'utf8')).toBe('plain');
    });

    it('says 126, and names the file, when it is damaged or cut short; nothing is left', async () => {
      put(randomBytes(100_000));
      const whole = readFileSync(file());
      const harmed = Buffer.from(whole);
      harmed[50_000] = (harmed[50_000] ?? 0) ^ 0x40;
      for (const content of [harmed, whole.subarray(0, 50_000), Buffer.alloc(0)]) {
        writeFileSync(file(), content);
        const { status, said } = await fetch(archive);
        expect([content.length, status]).toEqual([content.length, 126]);
        expect(said).toContain(`${file()} cannot be read`);
        expect(readdirSync(join(data, 'pg_wal'))).toEqual([]);
      }
    });

    it('says 126, and why, when the program is not there', async () => {
      put(Buffer.from('compressed'));
      const without = join(data, '..', 'bin');
      mkdirSync(without);
      for (const name of ['rm', 'ls']) symlinkSync(`/bin/${name}`, join(without, name));
      // The script's own folders are replaced by one that has all it needs but the program.
      const script = readFileSync(join(templates, 'restore-wal.sh'), 'utf8').replace(
        /^PATH=.*$/m,
        `PATH='${without.replaceAll("'", `'\\''`)}'`,
      );
      writeFileSync(join(without, 'restore-wal'), script);
      const child = spawn('/bin/sh', [join(without, 'restore-wal'), segment, 'pg_wal/RECOVERYXLOG', archive], {
        cwd: data,
      });
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      expect((await once(child, 'close'))[0]).toBe(126);
      expect(said).toContain(`${program} is not installed`);
    });

    it('says 126 when it is a link that leads nowhere', async () => {
      symlinkSync(join(archive, 'gone'), file());
      expect((await fetch(archive)).status).toBe(126);
    });
  });
});

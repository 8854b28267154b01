import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
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
async function run(script: string, args: string[], env = process.env): Promise<Ended> {
  const command = 'umask 077; exec /bin/sh "$0" "$@"';
  const child = spawn('/bin/sh', ['-c', command, join(templates, script), ...args], { cwd: data, env });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, said };
}

function putWal(name: string, content: Buffer | string = randomBytes(100_000)): Buffer {
  writeFileSync(join(data, 'pg_wal', name), content);
  return Buffer.from(content);
}

const send = async (name: string, folder = archive, env = process.env): Promise<Ended> =>
  await run('archive-wal.sh', [`pg_wal/${name}`, name, folder], env);
const archived = (name: string): Buffer => readFileSync(join(archive, name));

/** What is in the archive, beside the folder of what is being written, which must be empty. */
function stored(): string[] {
  const names = readdirSync(archive);
  if (names.includes('.incoming')) expect(readdirSync(join(archive, '.incoming'))).toEqual([]);
  return names.filter((name) => name !== '.incoming');
}

describe('archive-wal', () => {
  it.each([segment, '00000002.history', `${segment}.partial`, `${segment}.00000028.backup`, 'a name with spaces'])(
    'keeps %s byte for byte, for its owner alone',
    async (name) => {
      const content = putWal(name);
      expect(await send(name)).toEqual({ status: 0, said: '' });
      expect(archived(name).equals(content)).toBe(true);
      expect(statSync(join(archive, name)).mode & 0o777).toBe(0o600);
      expect(stored()).toEqual([name]);
    },
  );

  it('keeps a whole segment, and an empty file', async () => {
    const content = putWal(segment, randomBytes(16 * 1024 * 1024));
    putWal('empty', '');
    expect([(await send(segment)).status, (await send('empty')).status]).toEqual([0, 0]);
    expect(archived(segment).equals(content)).toBe(true);
    expect(archived('empty')).toHaveLength(0);
  });

  it('is done when the same file is sent again', async () => {
    const content = putWal(segment);
    await send(segment);
    const { ino } = statSync(join(archive, segment));
    expect(await send(segment)).toEqual({ status: 0, said: '' });
    expect(statSync(join(archive, segment)).ino).toBe(ino);
    expect(archived(segment).equals(content)).toBe(true);
  });

  it.each([
    ['another content', Buffer.from('other')],
    ['a shorter content', Buffer.from('first wo')],
    ['a longer content', Buffer.from('first words and more')],
  ])('never replaces a file by %s', async (_, other) => {
    putWal(segment, 'first words');
    await send(segment);
    putWal(segment, other);
    const { status, said } = await send(segment);
    expect(status).toBe(1);
    expect(said).toContain(segment);
    expect(archived(segment).toString()).toBe('first words');
    expect(stored()).toEqual([segment]);
  });

  it('fails with a message, making nothing, when the folder is missing', async () => {
    putWal(segment);
    const { status, said } = await send(segment, `${archive}/gone`);
    expect(status).toBe(1);
    expect(said).toContain(`${archive}/gone is missing`);
    expect(existsSync(`${archive}/gone`)).toBe(false);
  });

  it('fails and leaves no temporary file when the source cannot be read', async () => {
    const { status, said } = await send(segment);
    expect(status).toBe(1);
    expect(said).not.toBe('');
    expect(stored()).toEqual([]);
  });

  it('fails and leaves no temporary file when it cannot be written whole', async () => {
    putWal(segment);
    // The limit on a file's size ends the copy half-way, as a full disk does.
    const command = 'trap "" XFSZ; ulimit -f 64; exec /bin/sh "$0" "$@"';
    const args = [join(templates, 'archive-wal.sh'), `pg_wal/${segment}`, segment, archive];
    const child = spawn('/bin/sh', ['-c', command, ...args], { cwd: data, stdio: 'ignore' });
    expect((await once(child, 'exit'))[0]).toBe(1);
    expect(stored()).toEqual([]);
    expect((await send(segment)).status).toBe(0);
  });

  it('is not held up by what a killed run left', async () => {
    const content = putWal(segment);
    writeFileSync(join(archive, `.${segment}.4711`), 'half');
    expect((await send(segment)).status).toBe(0);
    expect(archived(segment).equals(content)).toBe(true);
  });

  it('overwrites what a killed run with its own number left', async () => {
    const content = putWal(segment);
    // The shell makes the leftover and then becomes the script: one process, one number.
    const command =
      'mkdir "$3/.incoming"; head -c 300000 /dev/zero > "$3/.incoming/$2.$$"; script=$0; exec /bin/sh "$script" "$@"';
    const args = [join(templates, 'archive-wal.sh'), `pg_wal/${segment}`, segment, archive];
    const child = spawn('/bin/sh', ['-c', command, ...args], { cwd: data, stdio: 'ignore' });
    expect((await once(child, 'exit'))[0]).toBe(0);
    expect(archived(segment).equals(content)).toBe(true);
    expect(stored()).toEqual([segment]);
  });

  it('succeeds for all when the same file is sent by many at once', async () => {
    const content = putWal(segment, randomBytes(2_000_000));
    const ended = await Promise.all(Array.from({ length: 6 }, async () => await send(segment)));
    expect(ended.map(({ status }) => status)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(archived(segment).equals(content)).toBe(true);
    expect(stored()).toEqual([segment]);
  });

  describe('when another has archived the name between the look and the link', () => {
    /** An environment whose dd puts a rival's file into the archive after its own work. */
    function withRival(content: Buffer | string): NodeJS.ProcessEnv {
      const bin = join(data, '..', 'bin');
      mkdirSync(bin);
      writeFileSync(join(data, '..', 'rival'), content);
      writeFileSync(join(bin, 'dd'), '#!/bin/sh\n/bin/dd "$@" && cp "$RIVAL" "$RIVAL_TARGET"\n', { mode: 0o755 });
      const rival = { RIVAL: join(data, '..', 'rival'), RIVAL_TARGET: join(archive, segment) };
      return { ...process.env, ...rival, PATH: `${bin}:${process.env['PATH']}` };
    }

    it('is done where that is the same file', async () => {
      const content = putWal(segment);
      expect(await send(segment, archive, withRival(content))).toEqual({ status: 0, said: '' });
      expect(archived(segment).equals(content)).toBe(true);
      expect(stored()).toEqual([segment]);
    });

    it('fails where it is another, and leaves that one', async () => {
      putWal(segment);
      expect((await send(segment, archive, withRival('other'))).status).toBe(1);
      expect(archived(segment).toString()).toBe('other');
      expect(stored()).toEqual([segment]);
    });
  });
});

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ailing } from '../helpers/ailing.ts';
import { programOf } from '../helpers/database.ts';

let ailing: Ailing;

beforeAll(async () => {
  ailing = await Ailing.make();
});
afterAll(async () => {
  await ailing.sandbox.cleanup();
});

/**
 * The programs of PostgreSQL, of which `postgres` does a step in the data directory before it becomes the real server: what
 * somebody does to the data after it was looked at, and before the server looks.
 */
function programsThatFirst(step: string): string {
  const folder = join(ailing.sandbox.folder, 'bin');
  execFileSync('rm', ['-rf', folder]);
  mkdirSync(folder);
  for (const name of readdirSync(dirname(programOf(ailing.sandbox, 'shop', 'postgres')))) {
    if (name !== 'postgres') symlinkSync(programOf(ailing.sandbox, 'shop', name), join(folder, name));
  }
  const server = programOf(ailing.sandbox, 'shop', 'postgres');
  const script = `#!/bin/sh\nif [ "$1" = -D ]; then cd "$2"; ${step}; fi\nexec ${server} "$@"\n`;
  writeFileSync(join(folder, 'postgres'), script, { mode: 0o755 });
  return folder;
}

async function failureAfter(step: string): ReturnType<Ailing['failure']> {
  return await ailing.failure(['--bindir', programsThatFirst(step)]);
}

async function expectWell(): Promise<void> {
  await ailing.expectWell(['--bindir', dirname(programOf(ailing.sandbox, 'shop', 'postgres'))]);
}

describe('what is done to the data between the look at it and the start', () => {
  it('another server is started on it: refused by the server itself, and that one goes on', async () => {
    const spare = Number(ailing.sandbox.portRange.split('-')[1]);
    const other = `${programOf(ailing.sandbox, 'shop', 'postgres')} -D . -p ${spare} -k ${ailing.sandbox.folder} -c archive_mode=off`;
    const error = await failureAfter(`${other} & until grep -q ready postmaster.pid; do :; done 2>/dev/null`);
    const pid = Number(readFileSync(ailing.file('postmaster.pid'), 'utf8').split('\n')[0]);
    expect(error).toMatchObject({ code: 'DATA_IN_USE', exitCode: 1 });
    expect(error.message).toContain(`another server (process ${pid}) runs on the same data`);
    expect(error.hint).toContain('./manage.ts stop shop');
    expect(() => process.kill(pid, 0)).not.toThrow();
    await ailing.stop();
    await expectWell();
  });

  it.each(['', 'zzz'])('its lock file is filled with %j', async (text) => {
    const error = await failureAfter(`printf '${text}' > postmaster.pid`);
    expect(error).toMatchObject({ code: 'STALE_LOCK_FILE', exitCode: 1 });
    expect(error.message).toContain('names no process');
    expect(error.hint).toContain(`rm ${ailing.data}/postmaster.pid && ./manage.ts start shop`);
    await expectWell();
  });

  it('it is opened to others', async () => {
    const error = await failureAfter('chmod 0755 .');
    expect(error).toMatchObject({ code: 'DATA_PERMISSIONS', exitCode: 1 });
    expect(error.message).toContain(`the data directory ${ailing.data} has invalid permissions`);
    expect(error.hint).toContain('./manage.ts start shop --fix-permissions');
    await ailing.expectWell(['--fix-permissions']);
  });

  it('it is exchanged for data of another major', async () => {
    const major = readFileSync(ailing.file('PG_VERSION'), 'utf8');
    const error = await failureAfter('echo 14 > PG_VERSION');
    expect(error).toMatchObject({ code: 'WRONG_VERSION', exitCode: 1 });
    expect(error.message).toContain('the data was made by PostgreSQL 14, the programs are');
    expect(error.hint).toContain('./manage.ts start shop --bindir /usr/lib/postgresql/14/bin');
    ailing.write('PG_VERSION', major);
    await expectWell();
  });
});

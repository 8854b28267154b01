import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, readFileSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ailing, listen } from '../helpers/ailing.ts';
import { dataOf } from '../helpers/answer.ts';
import { serviceAccount } from '../helpers/cli.ts';

let ailing: Ailing;
let spare: number;

beforeAll(async () => {
  ailing = await Ailing.make();
  spare = Number(ailing.sandbox.portRange.split('-')[1]);
});
afterAll(async () => {
  await ailing.sandbox.cleanup();
});

/** What a hint says to type to this program. */
function typed(hint: string, pattern: RegExp): string[] {
  return pattern.exec(hint)?.[1]?.split(' ') ?? [];
}

describe('what is known before the server is started is said without starting it', () => {
  it("another program on its port: named, left alone, and the hint's command moves the instance", async () => {
    const { port } = dataOf(await ailing.sandbox.manage(['status', 'shop', '--json']).then(asDone));
    const other = await listen(port);
    const before = ailing.tree();
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'PORT_IN_USE', exitCode: 1 });
    expect(error.message).toContain(`port ${port} is held by process ${process.pid}`);
    expect(ailing.tree()).toEqual(before);
    expect(other.listening).toBe(true);
    expect(error.hint).toContain('./manage.ts start NAME --port auto');
    await ailing.expectWell(['--port', 'auto', '--port-range', ailing.sandbox.portRange]);
    other.close();
    await once(other, 'close');
  });

  it('data of another major', async () => {
    const major = readFileSync(ailing.file('PG_VERSION'), 'utf8');
    ailing.write('PG_VERSION', '14\n');
    const before = ailing.tree();
    const error = await ailing.failure();
    expect(error).toMatchObject({
      code: 'WRONG_VERSION',
      exitCode: 1,
      message: expect.stringContaining('PostgreSQL 14'),
    });
    expect(error.hint).toMatch(/restore shop.*apt-get install postgresql-14/);
    expect(ailing.tree()).toEqual(before);
    ailing.write('PG_VERSION', major);
    await ailing.expectWell();
  });

  it('a data directory open to others, which --fix-permissions closes', async () => {
    chmodSync(ailing.data, 0o755);
    const before = ailing.tree();
    const error = await ailing.failure();
    expect(error).toMatchObject({
      code: 'DATA_PERMISSIONS',
      exitCode: 1,
      message: expect.stringContaining('mode 0755'),
    });
    expect([statSync(ailing.data).mode & 0o777, ailing.tree()]).toEqual([0o755, before]);
    const [, , ...flag] = typed(error.hint, /\.\/manage\.ts (start shop --fix-permissions)/);
    await ailing.expectWell(flag);
    expect(statSync(ailing.data).mode & 0o777).toBe(0o700);
  });

  it('a data directory that its own owner may not enter: status and list say so too', async () => {
    chmodSync(ailing.data, 0o000);
    const status = await ailing.sandbox.manage(['status', 'shop', '--json']);
    expect([status.code, status.json().data]).toMatchObject([3, { state: 'broken' }]);
    expect(status.json().data?.message).toContain(`${ailing.data} has mode 0000`);
    expect((await ailing.failure()).code).toBe('DATA_PERMISSIONS');
    await ailing.expectWell(['--fix-permissions']);
  });

  it('a data directory that is gone, and an instance that is', async () => {
    renameSync(ailing.data, `${ailing.data}-kept`);
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'INSTANCE_BROKEN', hint: expect.stringContaining('./manage.ts restore shop') });
    expect(existsSync(ailing.data)).toBe(false);
    renameSync(`${ailing.data}-kept`, ailing.data);
    const nobody = await ailing.sandbox.manage(['start', 'nobody', '--fix-permissions', '--json']);
    expect(nobody.code).toBe(4);
  });
});

function asDone(finished: Awaited<ReturnType<Ailing['sandbox']['manage']>>) {
  return { ...finished, code: 0 }; // status of a stopped instance is 3
}

describe('another server on the same data', () => {
  it('on another port: it is named and left alone; the hint stops it', async () => {
    const other = await ailing.serveByHand(spare);
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'DATA_IN_USE', exitCode: 1 });
    expect(error.message).toContain(`process ${other.pid}, on port ${spare}`);
    expect(other.alive()).toBe(true);
    dataOf(await ailing.sandbox.manage([...typed(error.hint, /\.\/manage\.ts (stop shop)/), '--json']));
    expect(other.alive()).toBe(false);
    await ailing.expectWell();
  });

  it('whose lock file somebody has removed: found by where it stands', async () => {
    const other = await ailing.serveByHand(spare);
    copyFileSync(ailing.file('postmaster.pid'), join(ailing.folder, 'kept'));
    rmSync(ailing.file('postmaster.pid'));
    const error = await ailing.failure();
    expect(error).toMatchObject({ code: 'DATA_IN_USE', hint: expect.stringContaining(`kill -INT ${other.pid}`) });
    expect(other.alive()).toBe(true);
    copyFileSync(join(ailing.folder, 'kept'), ailing.file('postmaster.pid'));
    ailing.own(ailing.file('postmaster.pid'));
    await other.end();
    await ailing.expectWell();
  });
});

describe('the lock file of a dead server', () => {
  it('whose number another program of the same user has by now: it goes, with a word, and the program stays', async () => {
    const account = serviceAccount();
    const stranger = spawn('sleep', ['120'], account === undefined ? {} : { uid: account.uid, gid: account.gid });
    try {
      await once(stranger, 'spawn');
      ailing.write('postmaster.pid', `${stranger.pid}\n${ailing.data}\n1\n`);
      const { warnings } = await ailing.expectWell();
      expect(warnings.join()).toContain(`process ${stranger.pid}, which is sleep 120`);
      expect(stranger.exitCode).toBeNull();
    } finally {
      stranger.kill();
      await once(stranger, 'exit');
    }
  });

  it.each(['', 'zzz\n'])('that names nobody (%j): it goes, with a word', async (text) => {
    ailing.write('postmaster.pid', text);
    if (text === '') truncateSync(ailing.file('postmaster.pid'));
    const { warnings } = await ailing.expectWell();
    expect(warnings.join()).toContain('it named no process');
  });

  it('that names a process nobody may look into: it stays, and the hint says how to go on', async () => {
    // A program that its user may not read: the system then hides where its processes stand.
    const closed = join(ailing.sandbox.folder, 'closed');
    copyFileSync('/bin/sleep', closed);
    chmodSync(closed, 0o111);
    const account = serviceAccount();
    const stranger = spawn(closed, ['120'], account === undefined ? {} : { uid: account.uid, gid: account.gid });
    try {
      await once(stranger, 'spawn');
      ailing.write('postmaster.pid', `${stranger.pid}\n${ailing.data}\n1\n`);
      const before = ailing.tree();
      const asUser = account === undefined ? {} : { account };
      const error = await ailing.failure([], asUser);
      expect(error).toMatchObject({ code: 'STALE_LOCK_FILE', exitCode: 1 });
      expect(error.message).toContain(`process ${stranger.pid}`);
      expect(ailing.tree()).toEqual(before);
      expect(stranger.exitCode).toBeNull();
      rmSync(/: rm (\S+postmaster\.pid)/.exec(error.hint)?.[1] ?? '');
      await ailing.expectWell([], asUser);
    } finally {
      stranger.kill();
      await once(stranger, 'exit');
    }
  });
});

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ailing } from '../helpers/ailing.ts';
import { dataOf } from '../helpers/answer.ts';
import { inNamespaces } from '../helpers/namespaces.ts';

let ailing: Ailing;

beforeAll(async () => {
  ailing = await Ailing.make({ onDisk: true }); // one of its cases mounts another /dev/shm
});
afterAll(async () => {
  await ailing.sandbox.cleanup();
});

describe('memory that the system does not grant', () => {
  const cases: [what: string, inside: string[], setting: string, cause: string, hint: string][] = [
    [
      'no shared memory segment may be made',
      inNamespaces(['--ipc'], 'echo 0 > /proc/sys/kernel/shmmni'),
      '',
      'no more shared memory segments: No space left on device',
      'sysctl kernel.shmmni',
    ],
    [
      'a /dev/shm of one page',
      inNamespaces(['--mount'], 'mount -t tmpfs -o size=4k tmpfs /dev/shm'),
      '',
      '/dev/shm has no room for the shared memory /PostgreSQL.',
      'mount -o remount,size=1G /dev/shm',
    ],
    [
      'a /dev/shm that takes no files',
      inNamespaces(['--mount'], 'mount -t tmpfs -o ro tmpfs /dev/shm'),
      '',
      'no shared memory in /dev/shm: Read-only file system',
      'mount -o remount,rw',
    ],
    [
      'a limit on its private memory',
      ['prlimit', `--data=${700 * 1024 ** 2}`],
      'wal_decode_buffer_size = 1023MB',
      'the server does not get the memory it needs: out of memory',
      'raise its limits (prlimit',
    ],
  ];
  it.each(cases)('%s', async (_what, inside, setting, cause, hint) => {
    const { undo } = ailing.configure(setting);
    expect(await ailing.failure([], { inside })).toMatchObject({
      code: 'SHARED_MEMORY',
      exitCode: 1,
      message: expect.stringContaining(cause),
      hint: expect.stringContaining(hint),
    });
    undo();
    await ailing.expectWell();
  });
});

describe('a server of another process namespace on the data, as of another container', () => {
  it('is seen by its shared memory, and left alone', async () => {
    const other = await ailing.serveByHand(Number(ailing.sandbox.portRange.split('-')[1]));
    const error = await ailing.failure([], { inside: inNamespaces(['--pid', '--fork', '--mount-proc'], ':') });
    expect(error).toMatchObject({ code: 'DATA_IN_USE', exitCode: 1 });
    expect(error.message).toContain(
      'processes of another or an earlier server still run on the same data (shared memory',
    );
    expect(error.hint).toContain(`pgrep -af ${ailing.data}`);
    expect(other.alive()).toBe(true);
    await other.end();
    await ailing.expectWell();
  });
});

describe('names that the machine does not know', () => {
  const hide = (file: string): string => `mount --bind /dev/null ${file}`;
  const withoutNames = inNamespaces(['--mount'], ['/etc/hosts', '/etc/resolv.conf'].map(hide).join('\n'));

  it('localhost is not asked for: the server starts, and answers on its port', async () => {
    await ailing.expectWell([], { inside: withoutNames });
  });

  it('another name in listen_addresses is told', async () => {
    const { undo } = ailing.configure("listen_addresses = 'elsewhere'");
    expect(await ailing.failure([], { inside: withoutNames })).toMatchObject({
      code: 'BAD_CONFIGURATION',
      message: expect.stringContaining('listen_addresses names "elsewhere"'),
    });
    undo();
    await ailing.expectWell();
  });
});

describe('a locale that the data was made with, and that the system has no more', () => {
  it('is named, though the server itself starts; it goes on when the locale is there again', async () => {
    const { sandbox } = ailing;
    const locales = join(sandbox.folder, 'locales');
    cpSync('/usr/lib/locale', locales, { recursive: true });
    cpSync(join(locales, 'C.utf8'), join(locales, 'xx_YY.utf8'), { recursive: true });
    const inside = inNamespaces(['--mount'], `mount --bind '${locales}' /usr/lib/locale`);
    const create = ['create', 'abroad', '--template', 'testing', '--locale', 'xx_YY.utf8', '--json'];
    dataOf(await sandbox.manage([...create, '--port-range', sandbox.portRange], { inside }));
    expect((await sandbox.manage(['stop', 'abroad'])).code).toBe(0);

    const named = await sandbox.manage(['start', 'abroad', '--json']);
    expect([named.code, named.json().error?.code]).toEqual([1, 'LOCALE_MISSING']);
    // As that hint says; then the server comes up, and it is its databases that nobody can use.
    const conf = join(sandbox.root, 'instances', 'abroad', 'data', 'postgresql.conf');
    writeFileSync(conf, readFileSync(conf, 'utf8').replaceAll(/^(lc_\w+) = \S+/gm, "$1 = 'C'"));
    const started = await sandbox.manage(['start', 'abroad', '--json']);
    expect([started.code, started.json().error]).toMatchObject([
      1,
      {
        code: 'LOCALE_MISSING',
        message: expect.stringContaining('this system has no locale xx_YY.utf8, which the data was made with'),
        hint: expect.stringContaining('locale-gen xx_YY.utf8'),
      },
    ]);
    expect((await sandbox.manage(['stop', 'abroad'])).code).toBe(0);
    expect(dataOf(await sandbox.manage(['start', 'abroad', '--json'], { inside }))).toMatchObject({ state: 'running' });
  });
});

import { execFileSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dataOf } from '../helpers/answer.ts';
import { addressOf, query } from '../helpers/database.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let base: string;
let wal: string;

function flipByte(file: string, at = Math.floor(statSync(file).size / 2)): void {
  const bytes = readFileSync(file);
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.from([(bytes[at] ?? 0) ^ 0x40]), 0, 1, at);
  closeSync(handle);
}

/** Damages a file, has the backup verified, and puts the file back. */
async function verifyWith(file: string, damage: (file: string) => void, level = 'quick') {
  const kept = `${file}.kept`;
  copyFileSync(file, join(sandbox.root, 'kept'));
  try {
    damage(file);
    return await sandbox.manage(['verify-backup', 'shop', '--backup-name', 'first', '--level', level, '--json']);
  } finally {
    rmSync(kept, { force: true });
    rmSync(file, { force: true });
    renameSync(join(sandbox.root, 'kept'), file);
    const { uid, gid } = statSync(base);
    if (process.getuid?.() === 0) chownSync(file, uid, gid);
  }
}

async function state(): Promise<string | undefined> {
  const listed = await sandbox.manage(['list-backups', 'shop', '--json']);
  return (listed.json() as unknown as { data: { backups: { id: string; state: string }[] } }).data.backups[0]?.state;
}

function segmentsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => /^[0-9A-F]{24}\.zst$/.test(name));
}

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop');
  const address = await addressOf(sandbox, 'shop');
  await query(address, 'create table orders as select n, md5(n::text) as hash from generate_series(1, 20000) n');
  expect((await sandbox.manage(['backup', 'shop', '--backup-name', 'first'])).code).toBe(0);
  await sandbox.create('other');
  expect((await sandbox.manage(['backup', 'other', '--backup-name', 'first', '--no-verify'])).code).toBe(0);
  // A second backup makes the archive reach two segments beyond the first one's end.
  await query(address, 'insert into orders select n, md5(n::text) from generate_series(1, 20000) n');
  expect((await sandbox.manage(['backup', 'shop', '--backup-name', 'second', '--no-verify'])).code).toBe(0);
  base = join(sandbox.root, 'backups', 'shop', 'base', 'first');
  wal = join(sandbox.root, 'backups', 'shop', 'wal');
});

afterAll(async () => {
  await sandbox.cleanup();
});

/** What may happen to a file. Each leaves it there or not, and never as it was. */
const harms: Record<string, (file: string) => void> = {
  'a flipped byte': (file) => flipByte(file),
  'cut short': (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
  gone: (file) => rmSync(file),
  'replaced by another instance’s': (file) => copyFileSync(ofOther(file), file),
};

/** Every file that a backup is made of, as found on the disk: a new kind of file is in the sweep by itself. */
function storedFiles(): string[] {
  return readdirSync(base, { recursive: true, encoding: 'utf8' }).filter(
    (name) => statSync(join(base, name)).isFile() && name !== 'backup.json',
  );
}

/** Every file of the archive that a recovery from the backup to the newest WAL reads. */
function neededWal(): string[] {
  return segmentsIn(wal).filter((name) => name >= firstSegment());
}

describe('a damaged backup', () => {
  it('is found whichever of its files is harmed however, and the file is named', async () => {
    const stored = storedFiles();
    expect(stored.length).toBeGreaterThanOrEqual(8);
    for (const name of stored) {
      for (const [harm, damage] of Object.entries(harms)) {
        const file = join(base, name);
        if (harm.startsWith('replaced') && readFileSync(file).equals(readFileSync(ofOther(file)))) continue;
        const verified = await verifyWith(file, damage);
        expect([name, harm, verified.code]).toEqual([name, harm, 7]);
        expect([name, harm, verified.json().error?.message.includes(name)]).toEqual([name, harm, true]);
      }
      expect(await state()).toBe('failed');
    }
  });

  it('is found when two of its files have changed places', async () => {
    // The WAL has a file of its own where pg_basebackup took the backup, and is in base.tar where the server did.
    const [first = '', second = ''] = storedFiles().filter((name) => /\.tar|pg_hba/.test(name));
    await swapped(join(base, first), join(base, second), async () => {
      const verified = await verifyWith(join(base, 'backup_manifest'), () => undefined);
      expect([verified.code, verified.stdout.includes(first), verified.stdout.includes(second)]).toEqual([
        7,
        true,
        true,
      ]);
    });
  });

  it('keeps what it has proven when only the archive behind it is harmed, at every level; the alarm names the archive', async () => {
    const sound = ['verify-backup', 'shop', '--backup-name', 'first', '--level', 'quick', '--json'];
    expect((await sandbox.manage(sound)).code).toBe(0);
    const behind = neededWal().at(-2) ?? '';
    for (const level of ['quick', 'full']) {
      const { code, json } = await verifyWith(join(wal, behind), (file) => flipByte(file), level);
      expect([level, code, json().error]).toMatchObject([
        level,
        7,
        { message: expect.stringContaining(`${behind} is damaged`), data: { state: 'verified' } },
      ]);
      expect([level, await state()]).toEqual([level, 'verified']);
    }
    const { protection } = dataOf(await sandbox.manage(['status', 'shop', '--json']));
    const told = (protection.alarm.damage as { where: string }[]).filter(({ where }) => where === 'the archive');
    expect(told).toMatchObject([{ what: expect.stringContaining(behind) }]);
  });

  it('is found when any archived segment from its start on is cut, foreign, swapped or gone, and the segment is named', async () => {
    const needed = neededWal();
    expect(needed.length).toBeGreaterThanOrEqual(3);
    // The newest one is beyond every backup's end and has no successor that would show it missing.
    for (const [index, name] of needed.slice(0, -1).entries()) {
      for (const [harm, damage] of Object.entries(harms)) {
        const verified = await verifyWith(join(wal, name), damage);
        expect([name, harm, verified.code, verified.stdout.includes(name.slice(0, 24))]).toEqual([name, harm, 7, true]);
      }
      await swapped(join(wal, name), join(wal, needed[index + 1] ?? ''), async () => {
        const verified = await verifyWith(join(base, 'backup_manifest'), () => undefined);
        expect([name, verified.code, verified.stdout.includes(name.slice(0, 24))]).toEqual([name, 7, true]);
      });
    }
  });

  // The codec's checksum is of all of a segment, also of the zeros behind the record that ends it early, which nobody replays.
  it('is found without replaying when any byte of any archived segment has changed, and the file is named', async () => {
    for (const name of neededWal()) {
      const { size } = statSync(join(wal, name));
      for (const at of [0, 4, Math.floor(size / 3), size - 1]) {
        const verified = await verifyWith(join(wal, name), (file) => flipByte(file, at));
        expect([name, at, verified.code, verified.stdout.includes(`${name} is damaged`)]).toEqual([name, at, 7, true]);
      }
    }
  });

  it('is found by replaying the archive when a segment that is stored plainly, among compressed ones, has changed', async () => {
    for (const name of neededWal()) {
      const plain = join(wal, name.slice(0, 24));
      const unpackAndFlip = (file: string): void => {
        execFileSync('zstd', ['-d', '-q', '--rm', file]);
        if (process.getuid?.() === 0) chownSync(plain, statSync(base).uid, statSync(base).gid);
        flipByte(plain, 120);
      };
      const verified = await verifyWith(join(wal, name), unpackAndFlip, 'full');
      rmSync(plain);
      expect([name, verified.code]).toEqual([name, 7]);
    }
  });

  it('is proven again when the damage is mended', async () => {
    const verified = await sandbox.manage(['verify-backup', 'shop', '--backup-name', 'first', '--json']);
    expect(verified.json()).toMatchObject({ ok: true, data: { id: 'first', state: 'verified' } });
    expect(await state()).toBe('verified');
  });
});

function firstSegment(): string {
  const label = readdirSync(wal).find((name) => name.endsWith('.backup')) ?? '';
  return label.slice(0, 24);
}

/** The same file of the other instance; of its archive, any segment. */
function ofOther(file: string): string {
  const same = file.replace('/shop/', '/other/');
  if (existsSync(same)) return same;
  const [segment = ''] = segmentsIn(dirname(same));
  return join(dirname(same), segment);
}

async function swapped(first: string, second: string, look: () => Promise<void>): Promise<void> {
  const swap = (): void => {
    renameSync(first, `${first}.away`);
    renameSync(second, first);
    renameSync(`${first}.away`, second);
  };
  swap();
  try {
    await look();
  } finally {
    swap();
  }
}

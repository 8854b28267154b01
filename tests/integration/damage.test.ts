import {
  copyFileSync,
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
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addressOf, query } from '../helpers/database.ts';
import { makeSandbox, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let base: string;
let wal: string;

function flipByte(file: string): void {
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.length / 2);
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.from([(bytes[at] ?? 0) ^ 0x40]), 0, 1, at);
  closeSync(handle);
}

/** Damages a file, has the backup verified, and puts the file back. */
async function verifyWith(file: string, damage: (file: string) => void) {
  const kept = `${file}.kept`;
  copyFileSync(file, join(sandbox.root, 'kept'));
  try {
    damage(file);
    return await sandbox.manage(['verify-backup', 'shop', '--backup-name', 'first', '--json']);
  } finally {
    rmSync(kept, { force: true });
    rmSync(file, { force: true });
    renameSync(join(sandbox.root, 'kept'), file);
    const { uid, gid } = statSync(base);
    if (process.getuid?.() === 0) (await import('node:fs')).chownSync(file, uid, gid);
  }
}

async function state(): Promise<string | undefined> {
  const listed = await sandbox.manage(['list-backups', 'shop', '--json']);
  return (listed.json() as unknown as { data: { backups: { id: string; state: string }[] } }).data.backups[0]?.state;
}

function segments(): string[] {
  return readdirSync(wal).filter((name) => /^[0-9A-F]{24}$/.test(name));
}

beforeAll(async () => {
  sandbox = await makeSandbox();
  await sandbox.create('shop');
  const address = await addressOf(sandbox, 'shop');
  await query(address, 'create table orders as select n, md5(n::text) as hash from generate_series(1, 20000) n');
  expect((await sandbox.manage(['backup', 'shop', '--backup-name', 'first'])).code).toBe(0);
  // A second backup makes the archive reach two segments beyond the first one's end.
  await query(address, 'insert into orders select n, md5(n::text) from generate_series(1, 20000) n');
  expect((await sandbox.manage(['backup', 'shop', '--backup-name', 'second', '--no-verify'])).code).toBe(0);
  base = join(sandbox.root, 'backups', 'shop', 'base', 'first');
  wal = join(sandbox.root, 'backups', 'shop', 'wal');
});

afterAll(async () => {
  await sandbox.cleanup();
});

describe('a damaged backup', () => {
  it('is found whichever of its files is damaged, and the file is named', async () => {
    const stored = readdirSync(base).filter((name) => statSync(join(base, name)).isFile() && name !== 'backup.json');
    expect(stored.length).toBeGreaterThanOrEqual(3);
    for (const name of stored) {
      const verified = await verifyWith(join(base, name), flipByte);
      expect(verified.code).toBe(7);
      expect(verified.json()).toMatchObject({ ok: false, error: { code: 'BACKUP_NOT_PROVEN' } });
      expect(verified.stdout).toContain(name);
      expect(await state()).toBe('failed');
    }
  });

  it('is found when a stored file is cut or gone', async () => {
    const [archive = ''] = readdirSync(base).filter((name) => name.startsWith('base.tar'));
    const cut = await verifyWith(join(base, archive), (file) => truncateSync(file, statSync(file).size - 100));
    expect([cut.code, cut.stdout.includes(archive)]).toEqual([7, true]);
    const gone = await verifyWith(join(base, archive), (file) => rmSync(file));
    expect([gone.code, gone.stdout.includes(archive)]).toEqual([7, true]);
  });

  it('is found when any archived segment from its start on is cut, foreign or missing, and the segment is named', async () => {
    const { startSegment } = { startSegment: segments().find((name) => name >= firstSegment()) ?? '' };
    const needed = segments().filter((name) => name >= startSegment);
    expect(needed.length).toBeGreaterThanOrEqual(3);
    // The newest one is beyond every backup's end and has no successor that would show it missing.
    for (const name of needed.slice(0, -1)) {
      const cut = await verifyWith(join(wal, name), (file) => truncateSync(file, 8 * 1024 * 1024));
      expect([name, cut.code, cut.stdout.includes(name)]).toEqual([name, 7, true]);
      const gone = await verifyWith(join(wal, name), (file) => rmSync(file));
      expect([name, gone.code, gone.stdout.includes(name)]).toEqual([name, 7, true]);
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

import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyByOurselves } from '../../lib/postgres/manifest.ts';
import { readPages } from '../../lib/postgres/pages.ts';
import { dataOf } from '../helpers/answer.ts';
import { makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { addressOf, query } from '../helpers/database.ts';

const migrations = fileURLToPath(new URL('../fixtures/migrations', import.meta.url));
const { signal } = new AbortController();

let sandbox: Sandbox;
let programs: string;

/** The very programs that come with the tool, whatever else this machine has. */
beforeAll(async () => {
  sandbox = await makeSandbox();
  programs = join(sandbox.root, '.pg-manage', 'postgres');
  await sandbox.create('shop', '--pg-version', '18', '--template', 'testing');
});

afterAll(async () => {
  await sandbox.cleanup();
});

async function count(name: string): Promise<number | undefined> {
  const rows = await query<{ n: number }>(await addressOf(sandbox, name), 'select count(*)::int as n from orders');
  return rows[0]?.n;
}

describe('on the PostgreSQL that comes with the tool', () => {
  it('an instance runs by programs below the root, which nothing of the checkout is needed for', () => {
    const { bindir } = JSON.parse(readFileSync(join(sandbox.root, 'instances', 'shop', 'instance.json'), 'utf8')) as {
      bindir: string;
    };
    expect(bindir.startsWith(`${programs}/18.`)).toBe(true);
    const libraries = execFileSync('ldd', [join(bindir, 'postgres')], { encoding: 'utf8' });
    expect(libraries).not.toContain('not found');
    expect(libraries).not.toContain('node_modules');
    expect(existsSync(join(bindir, 'pg_basebackup'))).toBe(false);
  });

  it('WAL is not streamed where only older clients are, which could not receive it: what to install is said first', async () => {
    const make = ['create', 'other', '--pg-version', '18', '--port-range', sandbox.portRange];
    for (const args of [make, ['tune', 'shop', '--apply']]) {
      const refused = await sandbox.manage([...args, '--archive', 'streaming', '--json']);
      expect([refused.code, refused.json().error?.code]).toEqual([1, 'NO_PG_RECEIVEWAL']);
      expect(refused.json().error?.hint).toContain('postgresql-client-18');
    }
    expect(readdirSync(join(sandbox.root, 'instances'))).toEqual(['shop']);
    const { archive } = dataOf(await sandbox.manage(['status', 'shop', '--json']));
    expect(archive).toMatchObject({ mode: 'command' });
  });

  it('the whole road is gone: migrate, backup, verify, restore beside and in place to a moment, stop, start', async () => {
    expect((await sandbox.manage(['migrate', 'shop', '--migrations-dir', migrations])).code).toBe(0);
    const address = await addressOf(sandbox, 'shop');
    await query(address, 'create table orders as select n, md5(n::text) as hash from generate_series(1, 5000) n');
    await query(address, 'create index on orders (hash)');
    const taken = dataOf(await sandbox.manage(['backup', 'shop', '--level', 'full', '--json']));
    expect(taken).toMatchObject({ state: 'verified' });
    const { checks } = taken.verification as { checks: { name: string; ok: boolean; detail: string }[] };
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['manifest', 'end of the archive', 'indexes and tables of shop', 'page checksums']),
    );

    const [now] = await query<{ moment: string }>(address, 'select clock_timestamp()::text as moment');
    await query(address, 'delete from orders where n > 100');
    expect((await sandbox.manage(['restore', 'shop', '--as', 'beside', '--port-range', sandbox.portRange])).code).toBe(
      0,
    );
    expect(await count('beside')).toBe(100);
    expect((await sandbox.manage(['restore', 'shop', '--to-time', now?.moment ?? '', '--yes'])).code).toBe(0);
    expect(await count('shop')).toBe(5000);
    expect((await sandbox.manage(['verify-backup', 'shop', '--json'])).json()).toMatchObject({ ok: true });
    expect(dataOf(await sandbox.manage(['list-backups', 'shop', '--json'])).backups).toMatchObject([
      { state: 'verified' },
    ]);

    expect((await sandbox.manage(['stop', 'shop'])).code).toBe(0);
    expect((await sandbox.manage(['start', 'shop'])).code).toBe(0);
    const told = (await sandbox.manage(['diagnose', 'shop,beside', '--json'])).json().data as {
      findings: { subject: string; severity: string }[];
    };
    expect(told.findings.filter(({ subject, severity }) => subject !== 'host' && severity === 'critical')).toEqual([]);
  });

  it('a second root has a copy of its own; a plan makes none; what a killed process left of one is cleared away', async () => {
    const root = join(sandbox.folder, 'second');
    const env = { PG_MANAGE_ROOT: root };
    const create = ['create', 'a', '--pg-version', '18', '--template', 'testing', '--port-range', sandbox.portRange];
    const planned = await sandbox.manage([...create, '--dry-run'], { env });
    expect([planned.code, existsSync(root)]).toEqual([0, false]);

    const [version = ''] = readdirSync(programs).filter((name) => name.startsWith('18'));
    const [own, left] = [join(root, '.pg-manage', 'postgres'), `.${version}.copying`];
    expect((await sandbox.manage(['recover'], { env })).code).toBe(0); // makes the root
    mkdirSync(join(own, left, 'bin'), { recursive: true });
    const owner = serviceAccount();
    for (const path of [own, join(own, left), join(own, left, 'bin')]) {
      if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    }
    expect((await sandbox.manage(create, { env })).code).toBe(0);
    expect(readdirSync(own).filter((name) => name !== '.lock')).toEqual([version]);
    expect((await sandbox.manage(['destroy', 'a', '--yes'], { env })).code).toBe(0);
  });
});

describe('what no program of PostgreSQL is there for', () => {
  let data: string;

  /** A backup, unpacked as it is in the repository. */
  beforeAll(async () => {
    expect((await sandbox.manage(['backup', 'shop', '--backup-name', 'plain', '--no-verify'])).code).toBe(0);
    const base = join(sandbox.root, 'backups', 'shop', 'base', 'plain');
    data = join(sandbox.folder, 'unpacked');
    mkdirSync(data);
    execFileSync('tar', ['-xf', join(base, 'base.tar.gz'), '-C', data]);
    writeFileSync(join(data, 'backup_manifest'), readFileSync(join(base, 'backup_manifest')));
  });

  /** What is said of the data while a file is changed. */
  async function whileChanged<T>(
    file: string,
    change: (bytes: Buffer) => Buffer | undefined,
    say: () => Promise<T>,
  ): Promise<T> {
    const path = join(data, file);
    const before = existsSync(path) ? readFileSync(path) : undefined;
    const after = change(Buffer.from(before ?? ''));
    if (after === undefined) rmSync(path);
    else writeFileSync(path, after);
    try {
      return await say();
    } finally {
      if (before === undefined) rmSync(path);
      else writeFileSync(path, before);
    }
  }

  function flip(at: number): (bytes: Buffer) => Buffer {
    return (bytes) => {
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      return bytes;
    };
  }

  async function verdict(): Promise<string> {
    return await verifyByOurselves(data, signal).then(
      () => 'sound',
      (error: Error) => error.message,
    );
  }

  it('a backup that is as it was agrees with its manifest', async () => {
    expect(await verdict()).toBe('sound');
  });

  it.each<[string, string, (bytes: Buffer) => Buffer | undefined, RegExp]>([
    ['a flipped bit', 'global/1262', flip(5000), /checksum mismatch for file "global\/1262"/],
    ['a file that is cut', 'PG_VERSION', () => Buffer.from(''), /"PG_VERSION" has 0 bytes, 3 in the manifest/],
    ['a file that is gone', 'base/1/PG_VERSION', () => undefined, /"base\/1\/PG_VERSION" is in the manifest but not/],
    ['a file too many', 'base/1/99999', () => Buffer.from('x'), /"base\/1\/99999" is not in the manifest/],
    ['a manifest that was touched', 'backup_manifest', flip(300), /backup_manifest/],
    ['data of another system', 'global/pg_control', flip(0), /the manifest is of system \d+, the data of \d+/],
  ])('%s is found and named', async (_what, file, change, words) => {
    expect(await whileChanged(file, change, verdict)).toMatch(words);
  });

  it('WAL that is damaged or missing is found', async () => {
    const label = readFileSync(join(data, 'backup_label'), 'utf8');
    const segment = /file ([0-9A-F]{24})/.exec(label)?.[1] ?? '';
    const offset = Number.parseInt(/LOCATION: [0-9A-F]+\/([0-9A-F]+)/.exec(label)?.[1] ?? '', 16) % 16_777_216;
    expect(await whileChanged(`pg_wal/${segment}`, flip(offset + 40), verdict)).toMatch(
      /own WAL cannot be read to .*checksum/,
    );
    expect(await whileChanged(`pg_wal/${segment}`, () => undefined, verdict)).toContain(`${segment} is missing`);
  });

  it('every page is read, and a wrong one is named by file and block', async () => {
    const pages = await readPages(data, signal);
    expect(pages).toMatchObject({ checksums: true, wrong: [] });
    expect(pages.blocks).toBeGreaterThan(3000);
    const wrong = await whileChanged(
      'base/1/1259',
      flip(8192 + 4000),
      async () => (await readPages(data, signal)).wrong,
    );
    expect(wrong).toEqual(['checksum verification failed in file "base/1/1259", block 1']);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';

let sandbox: Sandbox;
let cache: string;
let count = 0;

beforeAll(async () => {
  sandbox = await makeSandbox();
  cache = join(sandbox.folder, 'cache', 'pg-manage', 'blanks');
});
afterAll(async () => await sandbox.cleanup());

/** As a plain user, whose cache is where XDG_CACHE_HOME says. */
async function create(name: string, ...args: string[]): Promise<ReturnType<typeof controlOf>> {
  const account = serviceAccount();
  const options = { env: { XDG_CACHE_HOME: join(sandbox.folder, 'cache') }, ...(account ? { account } : {}) };
  const all = ['create', name, '--template', 'testing', '--port-range', sandbox.portRange, ...args];
  const { code, stderr } = await sandbox.manage(all, options);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return controlOf(join(sandbox.root, 'instances', name, 'data'));
}

/** Of pg_control (ControlFileData of pg_control.h): the nonce stands last before the checksum, which a server checks as it starts. */
function controlOf(data: string): { identifier: bigint; nonce: string; state: number } {
  const bytes = readFileSync(join(data, 'global', 'pg_control'));
  const last = bytes.findLastIndex((byte) => byte !== 0);
  const checksum = last - (last % 4);
  const nonce = bytes.subarray(checksum - 32, checksum).toString('hex');
  return { identifier: bytes.readBigUInt64LE(0), nonce, state: bytes.readUInt32LE(16) };
}

const blanks = (): string[] => readdirSync(cache).filter((name) => /^\d/.test(name));
const shutDown = 1; // DB_SHUTDOWNED

describe('blank', () => {
  it('is made once, and each instance is one of its own', async () => {
    const controls = [await create('one'), await create('two')];
    expect(blanks()).toHaveLength(1);
    controls.push(controlOf(join(cache, blanks()[0]!, 'data')));
    for (const field of ['identifier', 'nonce'] as const) {
      expect(new Set(controls.map((control) => control[field])).size).toBe(3);
    }
    expect(controls[2]!.state).toBe(shutDown); // no server ever ran on it
  });

  it.each([
    ['a changed byte of pg_control', (data: string) => change(join(data, 'global', 'pg_control'), 20)],
    ["another server's WAL", (data: string) => change(join(data, 'pg_wal', '000000010000000000000001'), 24)],
    ['a missing file', (data: string) => rmSync(join(data, 'base', '1', 'PG_VERSION'))],
  ])('is not used with %s: initdb runs then, and it is put aside', async (_, damage) => {
    const [blank] = blanks();
    const kept = join(sandbox.folder, 'kept');
    execFileSync('cp', ['-a', join(cache, blank!), kept]);
    damage(join(cache, blank!, 'data'));
    await create(`damaged-${++count}`);
    expect(blanks()).not.toContain(blank);
    renameSync(kept, join(cache, blank!));
  });

  it('is another for another locale', async () => {
    await create('plain', '--locale', 'C');
    expect(blanks()).toHaveLength(2);
  });
});

function change(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes[offset]! ^= 1;
  writeFileSync(file, bytes);
}

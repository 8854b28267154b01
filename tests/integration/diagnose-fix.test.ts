import { chmodSync, chownSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { acquire } from '../../lib/host/locks.ts';
import { listTree, makeSandbox, type Sandbox, serviceAccount } from '../helpers/cli.ts';
import { addressOf, query } from '../helpers/database.ts';
import { codes, diagnoseIn } from '../helpers/diagnose.ts';

let sandbox: Sandbox;
let port: number;
let password: string;
let data: string;

beforeAll(async () => {
  sandbox = await makeSandbox();
  port = (await sandbox.create('shop', '--json')).json().data.port as number;
  expect((await sandbox.manage(['backup', 'shop'])).code).toBe(0);
  const folder = join(sandbox.root, 'instances', 'shop');
  [password, data] = [join(folder, 'password'), join(folder, 'data')];
});
afterAll(async () => await sandbox.cleanup());

describe('what --fix mends', () => {
  it('modes, leases and killed operations: told before, mended once, gone after', async () => {
    const leases = join(sandbox.host, 'leases');
    const [mine, orphan] = [join(leases, `${port}.json`), join(leases, '14999.json')];
    const lease = readFileSync(mine, 'utf8');
    writeFileSync(orphan, lease.replace(/"port":\d+/, '"port":14999').replace(/"instanceId":"/, '$&gone-'));
    const owner = serviceAccount();
    if (owner !== undefined) chownSync(orphan, owner.uid, owner.gid);
    rmSync(mine);
    chmodSync(password, 0o644);
    chmodSync(data, 0o755);
    const kill = async (at: number, ...args: string[]): Promise<void> => {
      const killed = await sandbox.manage(args, { env: { PG_MANAGE_TEST_KILL_AT: String(at) } });
      expect(killed.code).toBe(137);
    };
    await kill(3, 'create', 'extra', '--port-range', sandbox.portRange);
    await kill(1, 'recover');

    const expected = [
      'shop DATA_MODE',
      'host LEASE_ORPHAN',
      'host UNFINISHED_OPERATION',
      'extra UNFINISHED_OPERATION',
      'shop LEASE_MISSING',
      'shop PASSWORD_MODE',
    ];
    const tree = listTree(sandbox.folder);
    for (const args of [[], ['--fix', '--dry-run']]) {
      const { code, findings, fixed } = await diagnoseIn(sandbox, ...args);
      expect([code, codes(findings), fixed]).toEqual([1, expected, []]);
      expect(findings.every(({ fixable }) => fixable)).toBe(true);
      expect(findings.map(({ severity }) => severity)).toEqual(['critical', ...Array(5).fill('warning')]);
    }
    const narrowed = await diagnoseIn(sandbox, '--instance', 'shop');
    expect(codes(narrowed.findings)).toEqual(expected.filter((line) => !line.startsWith('extra ')));
    expect(listTree(sandbox.folder)).toEqual(tree);

    const mended = await diagnoseIn(sandbox, '--fix');
    // What an action on the host has left is cleared up by the next one, here --fix itself, before it looks.
    const byFix = expected.filter((line) => line !== 'host UNFINISHED_OPERATION');
    expect([mended.code, mended.findings, codes(mended.fixed)]).toEqual([0, [], byFix]);
    expect([statSync(password).mode & 0o777, statSync(data).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(readdirSync(leases).filter((name) => !name.startsWith('.'))).not.toContain('14999.json');
    const renewed = JSON.parse(readFileSync(mine, 'utf8')) as object;
    expect({ ...renewed, since: '' }).toEqual({ ...(JSON.parse(lease) as object), since: '' });
    expect(readdirSync(join(sandbox.root, '.pg-manage', 'journal'))).toEqual([]);
    expect(await diagnoseIn(sandbox)).toEqual({ code: 0, findings: [], fixed: [] });

    const audit = (await sandbox.manage(['audit', '--json'])).json().data as { audit?: object[] };
    expect(JSON.stringify(audit)).toContain('"action":"diagnose"');
    const address = await addressOf(sandbox, 'shop');
    expect(await query(address, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('what it cannot mend', () => {
  it('is told with the reason, holds up nothing else, and is still found', async () => {
    const killed = await sandbox.manage(['create', 'extra', '--port-range', sandbox.portRange], {
      env: { PG_MANAGE_TEST_KILL_AT: '3' },
    });
    expect(killed.code).toBe(137);
    chmodSync(password, 0o640);
    const folder = join(sandbox.root, '.pg-manage', 'locks', 'extra');
    const { signal } = new AbortController();
    const lock = await acquire({ folder, mode: 'exclusive', subject: 'extra', action: 'nap', timeoutMs: 1000, signal });
    const finished = await sandbox
      .manage(['diagnose', '--fix', '--json', '--lock-timeout', '0'])
      .finally(() => lock.release());
    const document = finished.json();
    expect([finished.code, codes(document.data.fixed)]).toEqual([1, ['shop PASSWORD_MODE']]);
    expect(codes(document.data.findings)).toEqual(['extra UNFINISHED_OPERATION', 'extra LOCK_HELD']);
    expect(document.warnings.join()).toMatch(/UNFINISHED_OPERATION of extra is left for now: .*busy/);
    expect((await diagnoseIn(sandbox, '--fix')).code).toBe(0);
  });

  it('an instance whose record is damaged: told, and the others are looked at', async () => {
    const record = join(sandbox.root, 'instances', 'shop', 'instance.json');
    const text = readFileSync(record, 'utf8');
    writeFileSync(record, '{');
    chmodSync(password, 0o600);
    await sandbox.create('other');
    const { code, findings } = await diagnoseIn(sandbox);
    writeFileSync(record, text);
    expect(code).toBe(1);
    expect(findings).toMatchObject([
      { code: 'INSTANCE_BROKEN', subject: 'shop', severity: 'critical' },
      { code: 'NO_BACKUP', subject: 'other', severity: 'info' },
    ]);
    expect(findings[0]?.cause).toContain(record);
  });
});

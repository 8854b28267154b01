import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeSandbox, listTree, type Sandbox } from '../helpers/cli.ts';

let sandbox: Sandbox;
let port: number;
beforeAll(async () => {
  sandbox = await makeSandbox();
  const { json } = await sandbox.create('client-a', '--json');
  port = json().data.port as number;
  const backup = await sandbox.manage(['backup', 'client-a', '--no-verify', '--backup-name', 'first']);
  expect(backup).toMatchObject({ code: 0 });
});
afterAll(async () => await sandbox.cleanup());

/** What a dry run answers; that it has changed nothing is checked here. */
async function dryRun(...args: string[]): Promise<string> {
  const before = listTree(sandbox.folder);
  const { code, stdout, stderr } = await sandbox.manage([...args, '--dry-run']);
  expect(code).toBe(0);
  expect(stderr).not.toMatch(/^error/m);
  const { code: again, json } = await sandbox.manage([...args, '--dry-run', '--json']);
  expect({ code: again, ok: json().ok }).toEqual({ code: 0, ok: true });
  expect(listTree(sandbox.folder)).toEqual(before);
  return stdout;
}

describe('beside a running instance', () => {
  it('create shows its plan, with the reason for each setting', async () => {
    const plan = await dryRun('create', 'client-b', '--template', 'production');
    expect(plan).toMatch(/^would create client-b: PostgreSQL \d+, template production, /);
    expect(plan).toMatch(/^shared_buffers +\S+ +\S.*$/m);
  });

  it('create with a port names it', async () => {
    const free = sandbox.portRange.split('-')[1] ?? '';
    expect(await dryRun('create', 'client-b', '--port', free)).toContain(`port ${free}`);
  });

  it.each([['stop'], ['restart'], ['start'], ['destroy']])('%s says what it would do', async (action) => {
    expect(await dryRun(action, 'client-a')).toMatch(new RegExp(`^would ${action} client-a|^would stop client-a`));
  });

  it('backup names the backup it would take', async () => {
    expect(await dryRun('backup', 'client-a', '--backup-name', 'second')).toContain('would take backup second');
  });

  it('verify-backup names the backup it would prove', async () => {
    expect(await dryRun('verify-backup', 'client-a')).toContain('first');
  });

  it('restore, in place and beside, shows its plan and needs no confirmation', async () => {
    expect(await dryRun('restore', 'client-a')).toMatch(/backup +first \(complete\)/);
    expect(await dryRun('restore', 'client-a', '--as', 'client-b')).toMatch(/instance +client-b/);
  });

  it('recover', async () => {
    await dryRun('recover');
  });

  it('the instance runs as before', async () => {
    const { code, json } = await sandbox.manage(['status', 'client-a', '--json']);
    expect({ code, ...json().data }).toMatchObject({ code: 0, state: 'running', port });
  });
});

describe('of what cannot be done is refused like the deed', () => {
  it.each([
    [['create', 'client-a'], 1, 'INSTANCE_EXISTS'],
    [['create', '1st'], 2, 'BAD_NAME'],
    [['start', 'nobody'], 4, 'INSTANCE_NOT_FOUND'],
    [['destroy', 'nobody'], 4, 'INSTANCE_NOT_FOUND'],
    [['restore', 'client-a', '--backup-name', 'none'], 4, 'BACKUP_NOT_FOUND'],
    [['restore', 'client-a', '--as', 'Client-A'], 1, 'INSTANCE_EXISTS'],
  ])('%j', async (args, status, error) => {
    const before = listTree(sandbox.folder);
    const { code, json } = await sandbox.manage([...args, '--dry-run', '--json']);
    expect({ code, error: json().error?.code }).toEqual({ code: status, error });
    expect(listTree(sandbox.folder)).toEqual(before);
  });
});
